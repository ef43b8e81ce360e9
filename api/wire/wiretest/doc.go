// Package wiretest is what the tests of the API's families have in common: the door
// on a real store, requests as somebody, and scenarios of one request each.
package wiretest
