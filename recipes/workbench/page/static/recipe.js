// A recipe's page: each room of the workbench has its scripts in a folder of its name.
import { connect } from "./live.js";
import "./read.js";
import "./scrolled.js";
import "./programs/programs.js";
import "./skip.js";
import "./servers/servers.js";
import "./consoles/consoles.js";
import "./exercises/source.js";
import "./exercises/exercise.js";

connect();
