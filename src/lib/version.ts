/** Of the program; the release process keeps it equal to package.json's. */
export const version = '0.1.0';
