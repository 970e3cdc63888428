export { createProject, type Project, type ProjectOptions } from "./project.ts";
export type { ProjectGraph } from "./project-graph.ts";
export { findProjectProblems, sortProblems } from "./project-problems.ts";
export type { StationedStep } from "./station-of-step.ts";
