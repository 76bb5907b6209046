// A page of more text on a recipe: its commands can be run here, too.
import { connect } from "./live.js";
import "./programs/programs.js";

connect();
