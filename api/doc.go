// Package api answers the Heroku Platform API, version 3: Heroku's paths, JSON,
// ids, status codes, error bodies and Range paging, over the platform's nouns.
//
// This package only puts the API together: the families of resources, health,
// status and schema, the access log and the rate limit. Each family is a package
// below it, api/people for instance, over api/wire. A family is made of
//
//   - Parts: the interfaces and settings that it needs, as small as they can be;
//   - New, which makes its Server out of a *wire.Door and its Parts;
//   - Routes, its table: method, path, policy, handler;
//   - one file per resource: the struct of its JSON, the function
//     that makes it out of a noun, the handlers, and their routes at its top;
//   - tests over its routes alone, by api/wire/wiretest.
//
// A handler decodes, calls and encodes; what it returns as an error becomes an
// answer in wire. Families import neither each other nor this package: what one
// shows of another's is handed in here.
//
// A request may ask for any "version=3" or "version=3.variant" in its Accept
// header, or for none: there is one version, and all variants are answered
// alike.
package api
