import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouteComponent,
} from "@tanstack/react-router";
import type { PagePath } from "#api";
import { HomePage } from "../pages/home.tsx";
import { NotFoundPage } from "../pages/not-found.tsx";
import { Problem } from "../ui/page.tsx";
import { Shell } from "../ui/shell.tsx";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: ({ error, reset }) => <Problem error={error} retry={reset} />,
});

type Search = Readonly<Record<string, string | number | undefined>>;

/** Every search value is text or a number; pages read what they know and ignore the rest. */
function validateSearch(search: Record<string, unknown>): Search {
  return Object.fromEntries(
    Object.entries(search).flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" ? [[name, value]] : [],
    ),
  );
}

function page(path: PagePath, component: RouteComponent) {
  return createRoute({ getParentRoute: () => root, path, component, validateSearch });
}

/** All pages but the first come when they are opened. An area of pages adds its routes here. */
const tree = root.addChildren([
  page("/", HomePage),
  page(
    "/pipelines",
    lazyRouteComponent(() => import("../pages/pipelines.tsx"), "PipelinesPage"),
  ),
  page(
    "/pipelines/$name",
    lazyRouteComponent(() => import("../pages/pipeline.tsx"), "PipelinePage"),
  ),
  page(
    "/runs/$id",
    lazyRouteComponent(() => import("../pages/pipeline-run.tsx"), "PipelineRunPage"),
  ),
  page(
    "/datasets",
    lazyRouteComponent(() => import("../pages/datasets.tsx"), "DatasetsPage"),
  ),
  page(
    "/datasets/$name",
    lazyRouteComponent(() => import("../pages/dataset.tsx"), "DatasetPage"),
  ),
  page(
    "/dashboards",
    lazyRouteComponent(() => import("../pages/dashboards.tsx"), "DashboardsPage"),
  ),
  page(
    "/dashboards/$name",
    lazyRouteComponent(() => import("../pages/dashboard.tsx"), "DashboardPage"),
  ),
  page(
    "/models",
    lazyRouteComponent(() => import("../pages/models.tsx"), "ModelsPage"),
  ),
  page(
    "/models/$name",
    lazyRouteComponent(() => import("../pages/model.tsx"), "ModelPage"),
  ),
  page(
    "/models/$name/$version",
    lazyRouteComponent(() => import("../pages/model-version.tsx"), "ModelVersionPage"),
  ),
  page(
    "/notebooks/$id",
    lazyRouteComponent(() => import("../pages/notebook.tsx"), "NotebookPage"),
  ),
  page(
    "/endpoints",
    lazyRouteComponent(() => import("../pages/endpoints.tsx"), "EndpointsPage"),
  ),
  page(
    "/endpoint/$environment/$name",
    lazyRouteComponent(() => import("../pages/endpoint.tsx"), "EndpointPage"),
  ),
  page(
    "/predictions/$id",
    lazyRouteComponent(() => import("../pages/prediction.tsx"), "PredictionPage"),
  ),
  page(
    "/alerts",
    lazyRouteComponent(() => import("../pages/alerts.tsx"), "AlertsPage"),
  ),
  page(
    "/releases",
    lazyRouteComponent(() => import("../pages/releases.tsx"), "ReleasesPage"),
  ),
  page(
    "/approvals",
    lazyRouteComponent(() => import("../pages/approvals.tsx"), "ApprovalsPage"),
  ),
  page(
    "/experiments",
    lazyRouteComponent(() => import("../pages/experiments.tsx"), "ExperimentsPage"),
  ),
  page(
    "/experiments/$id",
    lazyRouteComponent(() => import("../pages/experiment.tsx"), "ExperimentPage"),
  ),
  page(
    "/experiments/run/$id",
    lazyRouteComponent(() => import("../pages/tracking-run.tsx"), "TrackingRunPage"),
  ),
  page(
    "/experiments/compare",
    lazyRouteComponent(() => import("../pages/compare-runs.tsx"), "CompareRunsPage"),
  ),
  page(
    "/registry",
    lazyRouteComponent(() => import("../pages/registry.tsx"), "RegistryPage"),
  ),
  page(
    "/registry/$name",
    lazyRouteComponent(() => import("../pages/registered-model.tsx"), "RegisteredModelPage"),
  ),
  page(
    "/registry/$name/$version",
    lazyRouteComponent(() => import("../pages/registered-version.tsx"), "RegisteredVersionPage"),
  ),
  page(
    "/lineage/$id",
    lazyRouteComponent(() => import("../pages/lineage.tsx"), "LineagePage"),
  ),
]);

export function createAppRouter() {
  return createRouter({ routeTree: tree, defaultPreload: "intent", scrollRestoration: true });
}
