import { randomInt } from "node:crypto";

const ADJECTIVES =
  "able bold brave bright calm clever crisp deft eager fair fleet gentle glad grand keen kind lively lucid merry nimble noble proud quick quiet rapid sharp silent sleek smooth stately swift wise".split(
    " ",
  );
const NOUNS =
  "ant bear bee crane crow deer dove eel elk finch fox frog gnat goat hare hawk heron ibis jay kite lark lynx mole moth newt otter owl panda quail ray robin seal shrew slug snail stork swan toad trout vole wasp wolf wren yak".split(
    " ",
  );

/** A name for a logged model that came without one: `adjective-noun-NNN`. */
export function generateLoggedModelName(): string {
  return `${ADJECTIVES[randomInt(ADJECTIVES.length)]}-${NOUNS[randomInt(NOUNS.length)]}-${randomInt(1000)}`;
}
