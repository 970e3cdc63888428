import { defineError, type ErrorFactory } from "#base";

export const promotionRefused: ErrorFactory<{
  name: string;
  alias: string;
  version: number | undefined;
  reason: string;
  hint: string;
}> = defineError("MODELS_PROMOTION_REFUSED", {
  status: 403,
  message: ({ name, alias, version, reason, hint }) =>
    `The alias '${alias}' of '${name}' is protected and was not ${version === undefined ? "removed" : `moved to version ${version}`}: ${reason} ${hint}`,
  solve:
    "Have someone other than the author approve the version (`esteira approve …`) and deploy it: the deployment moves the alias. Or set another alias.",
});
