export { commands } from "./commands.ts";
export { commandHelp } from "./help.ts";
export { createTerminal } from "./terminal.ts";
