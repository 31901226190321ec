// A terminal's output as an SVG, for pages. Colors are those of its ANSI codes.

const palette: Readonly<Record<number, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#76e3ea',
};
const lineHeight = 20;
const charWidth = 8.4;
const margin = 18;
const titleHeight = 34;

interface Style {
  readonly color?: string;
  readonly bold?: boolean;
  readonly dim?: boolean;
}

interface Span {
  readonly text: string;
  readonly style: Style;
}

/** Splits a line at its color codes. */
export function spansOf(line: string): readonly Span[] {
  const escape = String.fromCharCode(27);
  const spans: Span[] = [];
  let style: Style = {};
  for (const [index, part] of line.split(`${escape}[`).entries()) {
    if (index === 0) {
      if (part !== '') spans.push({ text: part, style });
      continue;
    }
    const end = part.indexOf('m');
    for (const code of part.slice(0, end).split(';')) style = after(style, Number(code));
    const text = part.slice(end + 1);
    if (text !== '') spans.push({ text, style });
  }
  return spans;
}

function after(style: Style, code: number): Style {
  if (code === 0) return {};
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  const { color: _color, ...plain } = style;
  if (code === 22) return style.color === undefined ? {} : { color: style.color };
  const color = palette[code];
  return color === undefined ? plain : { ...style, color };
}

const columns = 104;
const indent = '    ';

/** Breaks a line between words, where it is too long, and indents what follows. */
export function wrapped(line: string): readonly (readonly Span[])[] {
  const rows: Span[][] = [[]];
  let width = 0;
  for (const { text, style } of spansOf(line)) {
    for (const word of text.split(/(?<= )/)) {
      if (width + word.trimEnd().length > columns && width > 0) {
        rows.push([{ text: indent, style: {} }]);
        width = indent.length;
      }
      rows.at(-1)?.push({ text: word, style });
      width += word.length;
    }
  }
  return rows;
}

/** The whole picture: a window with a title and these lines. */
export function terminalPicture(title: string, printed: readonly string[]): string {
  const lines = printed.flatMap(wrapped);
  const widest = Math.max(...lines.map(widthOf));
  const width = Math.ceil(widest * charWidth + 2 * margin);
  const height = titleHeight + lines.length * lineHeight + margin;
  const rows = lines.map((line, index) => {
    const y = titleHeight + margin + index * lineHeight;
    const text = line.map(spanText).join('');
    return `<text x="${margin}" y="${y}" xml:space="preserve">${text}</text>`;
  });
  const namespace = 'http://www.w3.org/2000/svg';
  const box = `viewBox="0 0 ${width} ${height}" width="${width}"`;
  const dots = [20, 40, 60].map((x) => `<circle cx="${x}" cy="17" r="6"/>`).join('');
  return `<svg xmlns="${namespace}" ${box} role="img">
<title>${escaped(title)}</title>
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e6edf3}</style>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
<g fill="#30363d">${dots}</g>
<text x="${width / 2}" y="22" text-anchor="middle" fill-opacity="0.6">${escaped(title)}</text>
${rows.join('\n')}
</svg>
`;
}

const widthOf = (line: readonly Span[]): number =>
  line.reduce((sum, { text }) => sum + Array.from(text).length, 0);

function spanText({ text, style: { color, bold, dim } }: Span): string {
  const marks = [
    color === undefined ? '' : ` fill="${color}"`,
    bold === true ? ' font-weight="bold"' : '',
    dim === true ? ' fill-opacity="0.6"' : '',
  ].join('');
  return `<tspan${marks}>${escaped(text)}</tspan>`;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
