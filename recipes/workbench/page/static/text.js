// A text by itself: its commands are run, and what runs is seen and stopped, from here too.
import { connect } from "./live.js";
import "./programs/programs.js";
import "./servers/running.js";

connect();
