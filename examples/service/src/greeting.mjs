/** The greeting for a name in a language; English when the language is not known. */
export function greet(name, language = "en") {
  const greetings = { en: "Hello", "pt-BR": "Olá" };
  return `${greetings[language] ?? greetings.en}, ${name}!`;
}
