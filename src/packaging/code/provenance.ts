import type { Digest, Json } from "#base";

/** What is known of how code was packaged. */
export interface ProvenanceFacts {
  readonly subject: { readonly name: string; readonly digest: Digest };
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  /** As it was written, values of expressions filled in. */
  readonly declaration: Json;
  readonly recipe: Digest | undefined;
  readonly commit: { readonly id: string; readonly dirty: boolean } | undefined;
  /** Versions that were read, lock files, the image below. */
  readonly materials: readonly { readonly name: string; readonly digest: Digest; readonly kind: string }[];
}

/**
 * How packaged code came to be, as an in-toto statement with SLSA provenance. It holds what decides the result, and
 * neither times nor ids of runs, which the records of the version have: the same commit gives the same statement. It
 * is not signed.
 *
 * Source: in-toto Statement v1, SLSA Provenance v1.
 */
export function formatProvenance(facts: ProvenanceFacts): string {
  const { subject, project, pipeline, step, declaration, recipe, commit, materials } = facts;
  const source =
    commit === undefined
      ? []
      : [
          {
            name: "source",
            digest: { gitCommit: commit.id },
            annotations: { uncommittedChanges: commit.dirty },
          },
        ];
  return JSON.stringify(
    {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: subject.name, digest: digestSet(subject.digest) }],
      predicateType: "https://slsa.dev/provenance/v1",
      predicate: {
        buildDefinition: {
          buildType: "urn:esteira:step:package:1",
          externalParameters: { project, pipeline, step, declaration },
          internalParameters: recipe === undefined ? {} : { recipe },
          resolvedDependencies: [
            ...source,
            ...materials.map(({ name, digest, kind }) => ({ name, digest: digestSet(digest), annotations: { kind } })),
          ],
        },
        runDetails: { builder: { id: "urn:esteira:engine" } },
      },
    },
    undefined,
    2,
  );
}

function digestSet(digest: Digest): { readonly sha256: string } {
  return { sha256: digest.slice("sha256:".length) };
}
