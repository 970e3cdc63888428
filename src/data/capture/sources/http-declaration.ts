import { z } from "zod";
import { secretName } from "./database-declaration.ts";

const text = z.string().min(1);
const value = z.union([z.string(), z.number(), z.boolean()]);
/** Members of objects, from the outside in, with points between. */
const path = z.string().regex(/^[^.]+(\.[^.]+)*$/, "expected names with points between them, such as data.items");

export const authSchema = z
  .strictObject({
    bearer: secretName.optional().describe("Name of the secret that is the token."),
    basic: z.strictObject({ user: text, password: secretName.describe("Name of a secret.") }).optional(),
    header: z.strictObject({ name: text, secret: secretName }).optional().describe("A header whose value is a secret."),
    param: z
      .strictObject({ name: text, secret: secretName })
      .optional()
      .describe("A parameter of the address whose value is a secret; a header is safer."),
    oauth2: z
      .strictObject({
        token_url: text,
        client_id: text,
        client_secret: secretName.describe("Name of a secret."),
        scope: text.optional(),
      })
      .optional()
      .describe("Client credentials (RFC 6749, 4.4): a token is fetched, and again when it is refused."),
  })
  .refine((auth) => Object.keys(auth).length === 1, "one way to sign in: bearer, basic, header, param or oauth2")
  .describe("How to sign in. Values are secrets, by name; they go to the host of the address alone.");

const pagesSchema = z
  .union([
    z.literal("link"),
    z.strictObject({ next: path.describe("Where in the answer the address of the next page is.") }),
    z.strictObject({
      cursor: path.describe("Where in the answer the mark of the next page is."),
      param: text.describe("Parameter that takes it."),
    }),
    z.strictObject({
      offset: text.describe("Parameter that takes the number of records before."),
      size: z.int().min(1).describe("Records of a page; a shorter one is the last."),
      limit: text.optional().describe("Parameter that takes the size."),
    }),
    z.strictObject({
      page: text.describe("Parameter that takes the number of the page."),
      start: z.int().min(0).optional().describe("Number of the first page. Default 1."),
      size: z
        .int()
        .min(1)
        .optional()
        .describe("Records of a page; a shorter one is the last. Default: an empty one is."),
      limit: text.optional().describe("Parameter that takes the size."),
    }),
  ])
  .describe(
    "How pages follow each other: link (header Link, rel=next), next, cursor, offset or page. Default: there is one.",
  );

const listing = {
  url: text.describe("Address; {field} stands for a field of the record of for_each."),
  params: z.record(text, value).optional().describe("Parameters of the address."),
  records: path
    .optional()
    .describe("Where in the answer the records are. Default: the answer is a list, or one record."),
  pages: pagesSchema.optional(),
};

export const httpSchema = z
  .strictObject({
    ...listing,
    headers: z.record(text, z.string()).optional().describe("Headers that are no secrets."),
    auth: authSchema.optional(),
    for_each: z
      .strictObject(listing)
      .optional()
      .describe("Records that the address is asked for, one after the other: /users, for /users/{id}/posts."),
    include: z
      .record(text, path)
      .optional()
      .describe("Fields of the record of for_each that each record gets: { user_id: id }"),
    cursor: z
      .strictObject({
        field: path.describe("Field that every record has and that only grows."),
        param: text
          .optional()
          .describe("Parameter that takes the last value. Default: all is asked for, and the old left out."),
        as: z
          .string()
          .includes("{value}")
          .optional()
          .describe("How the parameter says it, for example gte:{value}. Default {value}."),
        start: z.union([text, z.number()]).optional().describe("The first run asks for records from this value on."),
        lookback: z
          .union([
            z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'expected a time such as "2h", or a number'),
            z.number().min(0),
          ])
          .optional()
          .describe("How far before the last value the next run begins. Needs write: { merge: KEY }."),
        missing: z
          .enum(["error", "exclude", "include"])
          .optional()
          .describe("Records without a value. Default error; include needs write: { merge: KEY }."),
      })
      .optional()
      .describe("Read only what is new since the version before. Default: everything, in every run."),
    rate: z
      .number()
      .min(0.01)
      .max(1000)
      .optional()
      .describe("Requests a second, at most. Default: as the server lets."),
    max_pages: z.int().min(1).optional().describe("More pages are an error. Default 10000."),
  })
  .describe("Records that a service gives as JSON over HTTP.");

export type HttpDeclaration = z.infer<typeof httpSchema>;
export type HttpListing = Pick<HttpDeclaration, "url" | "params" | "records" | "pages">;
export type HttpAuth = NonNullable<HttpDeclaration["auth"]>;
