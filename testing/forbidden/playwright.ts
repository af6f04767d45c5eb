/** Stands in for `playwright-core` in unit tests. */
throw new Error("A unit test must not open a browser. Tests of the page live in e2e/ and run with `npm run test:e2e`.");
