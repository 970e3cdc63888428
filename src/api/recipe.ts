export type RecipePart = "step" | "key" | "param" | "variable" | "file" | "code" | "environment" | "version" | "deploy";

/** One thing that is another in the second recipe. */
export interface RecipeChange {
  /** Asset that the step makes. */
  readonly step: string;
  readonly part: RecipePart;
  readonly name: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** Of a file that is text: the hunks of a unified diff, at most 400 lines. */
  readonly lines?: string | undefined;
}

export interface NamedRecipe {
  /** `approved`, `waiting`, `live`, or the number of a version. */
  readonly label: string;
  readonly digest: string;
}

/** Two recipes of one asset, and what differs. */
export interface RecipeDifference {
  readonly asset: string;
  readonly before?: NamedRecipe | undefined;
  readonly after: NamedRecipe;
  readonly changes: readonly RecipeChange[];
}
