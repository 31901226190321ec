/** One line of a plot. */
export interface PlotLine {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [number, number])[];
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly PlotLine[];
  /** Horizontal marks with a word each. */
  readonly marks?: readonly { readonly at: number; readonly text: string }[];
}

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}

const [width, height] = [720, 360];
const box = { left: 64, right: 16, top: 36, bottom: 48 };
/** Readable on light and on dark pages. */
const ink = '#7a7f87';

/** A line plot as SVG text, the same bytes for the same plot. */
export function svgPlot(plot: Plot): string {
  const x = placeOf(plot.x, box.left, width - box.right);
  const y = placeOf(plot.y, height - box.bottom, box.top);
  const parts = [
    text(box.left, 20, plot.title, 'font-weight="600"'),
    ...plot.x.ticks.flatMap((tick) => [
      rule(x(tick), box.top, x(tick), height - box.bottom, 'stroke-opacity="0.15"'),
      text(x(tick), height - box.bottom + 18, shown(tick), 'text-anchor="middle"'),
    ]),
    ...plot.y.ticks.flatMap((tick) => [
      rule(box.left, y(tick), width - box.right, y(tick), 'stroke-opacity="0.15"'),
      text(box.left - 8, y(tick) + 4, shown(tick), 'text-anchor="end"'),
    ]),
    text((box.left + width - box.right) / 2, height - 10, plot.x.label, 'text-anchor="middle"'),
    text(box.left, box.top - 4, plot.y.label, 'font-style="italic"'),
    ...(plot.marks ?? []).flatMap(({ at, text: word }) => [
      rule(box.left, y(at), width - box.right, y(at), 'stroke-dasharray="6 4"'),
      text(width - box.right, y(at) - 5, word, 'text-anchor="end"'),
    ]),
    ...plot.lines.map((line) => path(line, x, y)),
    ...plot.lines.map(({ name, color }, i) => legend(name, color, i)),
  ];
  const whole = height + 12 + plot.lines.length * 18;
  const view = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}"`;
  const font = `font-family="system-ui, sans-serif" font-size="12" fill="${ink}"`;
  const head = `<svg ${view} ${font}>`;
  return `${[head, ...parts].join('\n')}\n</svg>\n`;
}

function placeOf(axis: Axis, start: number, end: number): (value: number) => number {
  const at = axis.scale === 'log' ? Math.log : (value: number) => value;
  const [from, to] = [at(axis.from), at(axis.to)];
  return (value) => {
    const bounded = Math.min(axis.to, Math.max(axis.from, value));
    return Math.round((start + ((at(bounded) - from) / (to - from)) * (end - start)) * 10) / 10;
  };
}

type Place = (value: number) => number;

const path = ({ points, color, dashed }: PlotLine, x: Place, y: Place): string => {
  const steps = points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${x(px)} ${y(py)}`);
  const dash = dashed === true ? ' stroke-dasharray="4 3"' : '';
  return `<path d="${steps.join('')}" fill="none" stroke="${color}" stroke-width="2"${dash}/>`;
};

/** Below the plot, so that no line runs through it. */
const legend = (name: string, color: string, i: number): string => {
  const top = height + 12 + i * 18;
  const line = `<path d="M${box.left} ${top - 4}h22" stroke="${color}" stroke-width="3"/>`;
  return `${line}${text(box.left + 30, top, name)}`;
};

const rule = (x1: number, y1: number, x2: number, y2: number, more: string): string =>
  `<path d="M${x1} ${y1}L${x2} ${y2}" stroke="${ink}" ${more}/>`;

const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x}" y="${y}"${more === '' ? '' : ` ${more}`}>${words}</text>`;

const shown = (value: number): string =>
  value >= 10_000 ? `${value / 1000}k` : String(Math.round(value * 1000) / 1000);
