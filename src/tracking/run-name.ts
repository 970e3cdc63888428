import { randomInt } from "node:crypto";

const ADJECTIVES =
  `able agile amused bald bemused bold brave bright calm capable carefree casual charming clean clever colorful crawling
  dashing dazzling delicate delightful eager efficient elegant enthused exultant fearless flawless fortunate fun funny gentle gifted glamorous
  glorious grandiose handsome hilarious honorable illustrious incongruous indecisive industrious intelligent inquisitive intrigued invincible
  judicious kindly languid learned legendary likeable loud luminous lyrical magnificent marvelous masked melodic merciful mercurial monumental
  mysterious nebulous nervous nimble nosy omniscient orderly overjoyed peaceful painted persistent placid polite popular powerful puzzled
  rambunctious rare rebellious respected resilient righteous receptive redolent rogue rumbling salty sassy secretive selective sedate serious
  shivering skillful sincere skittish silent smiling sneaky spiffy stately suave stylish tasteful thoughtful thundering traveling treasured
  trusting unequaled upset unique unleashed useful upbeat unruly valuable vaunted victorious welcoming whimsical wistful wise worried youthful
  zealous`.split(/\s+/);

const NOUNS =
  `ant ape asp auk bass bat bear bee bird boar bug calf carp cat chimp cod colt conch cow crab crane croc crow cub deer dog dolphin donkey
  dove duck eel elk fawn finch fish flea fly foal fowl fox frog gnat gnu goat goose grouse grub gull hare hawk hen hog horse hound jay kit kite
  koi lamb lark loon lynx mare midge mink mole moose moth mouse mule newt owl ox panda penguin perch pig pug quail ram rat ray roo rook seal shad
  shark sheep shoat shrew shrike shrimp skink skunk sloth slug smelt snail snake snipe sow sponge squid squirrel stag steed stoat stork swan tern
  toad trout turtle vole wasp whale wolf worm wren yak zebra`.split(/\s+/);

/** `adjective-noun-NNN`, for runs and logged models without a name. */
export function randomRunName(): string {
  return `${ADJECTIVES[randomInt(ADJECTIVES.length)]}-${NOUNS[randomInt(NOUNS.length)]}-${randomInt(1000)}`;
}
