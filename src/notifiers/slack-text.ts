// Slack's mrkdwn gives meaning to three characters only, & < >; everything that links or mentions
// is written with them. Source: docs.slack.dev, "Formatting message text".

const entity: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/**
 * Controls, line ends, and what reorders or hides text: none of it has a place in a name or a
 * reason.
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/**
 * Text from elsewhere as harmless mrkdwn of at most `limit` characters, counted after escaping as
 * Slack counts; never cut inside an entity or a character.
 */
export function plain(text: string, limit: number): string {
  const clean = text.replace(unprintable, ' ').replace(/ {2,}/g, ' ').trim();
  let out = '';
  for (const character of clean) {
    const next = entity[character] ?? character;
    if (out.length + next.length > limit - 1) return `${out}…`;
    out += next;
  }
  return out;
}

/** A name in a code span. A backtick would end the span, so it is shown as its look-alike. */
export const code = (text: string, limit: number): string =>
  `\`${plain(text.replaceAll('`', 'ˋ'), limit - 2) || ' '}\``;

/** A link whose address is the admin's and whose label is ours. */
export const link = (url: string, label: string): string =>
  `<${url.replace(/[&<>|\s]/g, (character) => encodeLinkCharacter(character))}|${label}>`;

const encodeLinkCharacter = (character: string): string =>
  character === '&' ? '&amp;' : encodeURIComponent(character);
