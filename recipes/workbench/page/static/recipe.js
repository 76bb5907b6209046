// A recipe's page.
import { connect } from "./live.js";
import "./read.js";
import "./servers.js";
import "./consoles.js";
import "./source.js";
import "./exercise.js";

connect();
