// A recipe's page: each room of the workbench has its scripts in a folder of its name.
import { connect } from "./live.js";
import "./read.js";
import "./programs/programs.js";
import "./skip.js";
import "./servers/servers.js";
import "./consoles/consoles.js";
import "./exercises/source.js";
import "./exercises/exercise.js";
import "./outline.js";
// When all else has its height.
import "./scrolled.js";

connect();
