// Boundary rules, made from modules.json: one rule per module and per package owner, each with its reason.
import { readFileSync } from "node:fs";

const { areas, modules, packageOwners } = JSON.parse(readFileSync(new URL("modules.json", import.meta.url), "utf8"));
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
  to: { path: `^src/${name}/`, pathNot: [`^src/${name}/index\\.ts$`, "^src/metadata-store/[^/]+/index\\.ts$"] },
}));

const areaRules = Object.entries(areas).map(([area, { owner, debts }]) => ({
  name: `area-${area}`,
  severity: "error",
  comment: `The operations of '${area}' belong to '${owner}': what others need of it, they ask #${owner}, or declare a port.`,
  from: { path: "^src/", pathNot: [owner, "metadata-store", ...debts].map((other) => `^src/${other}/`) },
  to: { path: `^src/metadata-store/${area}/` },
}));

const ownerRules = Object.entries(packageOwners)
  .map(([dependency, owner]) => ({
    dependency,
    owners: [owner].flat(),
  }))
  .map(({ dependency, owners }) => ({
    name: `owner-${dependency.replaceAll(/[^a-z0-9]+/g, "-")}`,
    severity: "error",
    comment: `'${dependency}' belongs to '${owners.join("', '")}', so that it can be replaced in one place; go through ${owners.map((owner) => `#${owner}`).join(" or ")}.`,
    from: { path: "^src/", pathNot: owners.map((owner) => `^src/${owner}/`) },
    to: {
      path: dependency.startsWith("node:")
        ? `^(node:)?${dependency.slice(5)}(/promises)?$`
        : `(^|/)node_modules/${escape(dependency)}(/|$)`,
    },
  }));

/** Parts without a door that tests of other modules read all the same. */
const PARTS_THAT_TESTS_OPEN = [
  "^src/metadata-store/migrations\\.ts$",
  "^src/server/(mlflow/mlflow-mounts|security/error-reply)\\.ts$",
  "^src/server/alerts/alert-handlers\\.ts$",
  "^src/pipeline/define/project-files\\.ts$",
];

export default {
  forbidden: [
    ...layerRules,
    ...doorRules,
    ...areaRules,
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
      name: "sources-stand-alone",
      severity: "error",
      comment: "What is published runs without its tests, benches, examples and scripts.",
      from: { path: "^src/" },
      to: { path: "^(test|bench|scripts|examples|web)/" },
    },
    {
      name: "web-stands-alone",
      severity: "error",
      comment: "The page is built from web/ and the contract; tests and scripts look at it from outside.",
      from: { path: "^web/" },
      to: { path: "^(test|bench|scripts|examples)/" },
    },
    {
      name: "tests-through-doors",
      severity: "error",
      comment:
        "A test of one module reads the others through their index.ts, so that their insides stay free to change; of its own module it may test a part.",
      from: { path: "^test/([^/]+)/" },
      to: {
        path: "^src/([^/]+)/.+",
        pathNot: [
          "^src/$1/",
          "^src/[^/]+/index\\.ts$",
          "^src/metadata-store/[^/]+/index\\.ts$",
          ...PARTS_THAT_TESTS_OPEN,
        ],
      },
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
      from: { path: "^(src|test|bench|scripts)/" },
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
