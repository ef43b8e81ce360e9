// Package wiretest is what the tests of the API's families have in common: a
// fake rooms in memory, a real store, and scenarios of one request each.
package wiretest
