import { getAssetVersion, type ReadTransaction } from "#metadata-store";
import { listDeployed } from "#metadata-store/delivery";
import type { Promotion, PromotionCheck } from "#registry";
import { explainWeakness } from "./approval-check.ts";
import { listRulesEvents } from "./rules-history.ts";
import { readVersions } from "./rules.ts";

/** Environment whose models carry protected aliases. */
const PRODUCTION = "production";

/**
 * Protected aliases follow what production runs: implements `PromotionCheck` of `models`. A client may set `champion`
 * to the version that is deployed there, and to no other; deployments, which carry the approvals, move it themselves.
 */
export function createPromotionCheck(): PromotionCheck {
  return {
    async protects(transaction, alias) {
      const events = await listRulesEvents(transaction, { environment: PRODUCTION });
      for (const project of new Set(events.map((event) => event.project))) {
        const versions = await readVersions(transaction, { project, environment: PRODUCTION });
        if (versions.at(-1)?.rules.aliases.includes(alias) === true) return true;
      }
      return false;
    },
    async refuse(transaction: ReadTransaction, { name, alias, version }: Promotion) {
      const asset =
        version?.assetVersionId === undefined
          ? undefined
          : await getAssetVersion(transaction, { id: version.assetVersionId });
      if (version !== undefined && asset !== undefined) {
        const deployed = await listDeployed(transaction, {
          project: asset.project,
          environment: PRODUCTION,
          asset: asset.asset,
        });
        if (deployed.some(({ versionId }) => versionId === asset.id)) {
          const rules = (await readVersions(transaction, { project: asset.project, environment: PRODUCTION })).at(-1);
          const weak = rules && (await explainWeakness(transaction, asset, rules.rules));
          if (weak === undefined) return undefined;
          return {
            reason: `${PRODUCTION} requires a sandbox of what it runs and of what that was made from: ${weak}.`,
            hint: "Make it again where there is a sandbox, and deploy that.",
          };
        }
        return {
          reason: `"${alias}" follows what production runs, and ${name} version ${version.version} is not deployed there.`,
          hint: `Let a reviewer approve it (esteira approve ${asset.digest} --environment ${PRODUCTION}) and deploy it: the deployment moves the alias.`,
        };
      }
      return {
        reason:
          version === undefined
            ? `"${alias}" follows what production runs and is not taken away by hand.`
            : `"${alias}" follows what production runs, and ${name} version ${version.version} was not made by a pipeline, so it cannot be deployed.`,
        hint:
          version === undefined
            ? "Deploy another version, or roll back: esteira rollback."
            : "Make the model in a pipeline step with makes: model, approve it and deploy it.",
      };
    },
  };
}
