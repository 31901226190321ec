/** Why the packages in `folder` differ from its lockfile; undefined if they do not. */
export function whyStale(folder: string): string | undefined;
