// Boundary rules, made from modules.json: one rule per module and per package owner, each with its reason.
import { readFileSync } from "node:fs";

const { modules, packageOwners } = JSON.parse(readFileSync(new URL("modules.json", import.meta.url), "utf8"));
const names = Object.keys(modules);
const escape = (text) => text.replaceAll(/[/.@-]/g, "\\$&");

function allowed(name) {
  const { layer, mayImport } = modules[name];
  if (!mayImport.includes("*below")) return mayImport;
  return names.filter((other) => modules[other].layer < layer);
}

const layerRules = names.map((name) => {
  const permitted = [name, ...allowed(name)];
  return {
    name: `layer-${name}`,
    severity: "error",
    comment: `'${name}' (layer ${modules[name].layer}: ${modules[name].holds}) may import only: ${permitted.slice(1).join(", ") || "nothing"}. Declare a port in ports.ts and let app inject it.`,
    from: { path: `^src/${name}/` },
    to: { path: "^src/[^/]+/", pathNot: permitted.map((other) => `^src/${other}/`) },
  };
});

const doorRules = names.map((name) => ({
  name: `door-${name}`,
  severity: "error",
  comment: `'${name}' is entered only through its index.ts, as #${name}: what is not exported there is free to change.`,
  from: { path: "^src/", pathNot: `^src/${name}/` },
  to: { path: `^src/${name}/`, pathNot: [`^src/${name}/index\\.ts$`] },
}));

const ownerRules = Object.entries(packageOwners).map(([dependency, owner]) => ({
  name: `owner-${dependency.replaceAll(/[^a-z0-9]+/g, "-")}`,
  severity: "error",
  comment: `'${dependency}' belongs to '${owner}', so that it can be replaced in one place; go through #${owner}.`,
  from: { path: "^src/", pathNot: `^src/${owner}/` },
  to: {
    path: dependency.startsWith("node:")
      ? `^(node:)?${dependency.slice(5)}$`
      : `(^|/)node_modules/${escape(dependency)}(/|$)`,
  },
}));

export default {
  forbidden: [
    ...layerRules,
    ...doorRules,
    ...ownerRules,
    {
      name: "no-cycle",
      severity: "error",
      comment:
        "Modules that need each other at run time cannot be understood, tested or started apart; move what both need down, or declare a port.",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "web-imports-only-api",
      severity: "error",
      comment:
        "The page shares the HTTP contract with the server and nothing else: everything in src/api must run in a browser.",
      from: { path: "^web/" },
      to: { path: "^src/", pathNot: "^src/api/" },
    },
    {
      name: "no-unknown-module",
      severity: "error",
      comment: "A folder of src/ stands in modules.json with its layer before it holds code.",
      from: {},
      to: { path: "^src/[^/]+/", pathNot: names.map((name) => `^src/${name}/`) },
    },
    {
      name: "resolvable",
      severity: "error",
      comment: "An import that leads nowhere fails at run time.",
      from: { path: "^src/" },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
