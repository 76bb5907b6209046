// A text by itself: what runs is seen, and stopped, from here too.
import { connect } from "./live.js";
import "./servers/running.js";

connect();
