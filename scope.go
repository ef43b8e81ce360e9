package renga

import "slices"

// Scope says how far a token goes.
type Scope string

// Heroku's scopes. Protected ones reach what holds secrets, config vars above
// all; the others do not.
const (
	ScopeGlobal         Scope = "global"          // everything, the account included
	ScopeIdentity       Scope = "identity"        // look at the account
	ScopeRead           Scope = "read"            // look at apps
	ScopeWrite          Scope = "write"           // change apps
	ScopeReadProtected  Scope = "read-protected"  // look at apps and their secrets
	ScopeWriteProtected Scope = "write-protected" // change apps and their secrets
)

// Scopes are those of one token.
type Scopes []Scope

// wider are the scopes that each scope is a part of. Whoever may change a thing
// may look at it: the answer to a change shows it.
var wider = map[Scope]Scopes{
	ScopeGlobal:         {},
	ScopeIdentity:       {ScopeGlobal},
	ScopeRead:           {ScopeGlobal, ScopeWrite, ScopeReadProtected, ScopeWriteProtected},
	ScopeWrite:          {ScopeGlobal, ScopeWriteProtected},
	ScopeReadProtected:  {ScopeGlobal, ScopeWriteProtected},
	ScopeWriteProtected: {ScopeGlobal},
}

// Allow tells whether the scopes go as far as need.
func (s Scopes) Allow(need Scope) bool {
	return slices.ContainsFunc(s, func(has Scope) bool {
		return has == need || slices.Contains(wider[need], has)
	})
}

// ValidateScopes tells whether a token may be made with these scopes.
func ValidateScopes(s Scopes) error {
	if len(s) == 0 {
		return Errorf(Invalid, "Name at least one scope, such as global.")
	}
	for _, one := range s {
		if _, known := wider[one]; !known {
			return Errorf(Invalid, "Scope %q does not exist; there are global, identity, read, write, read-protected and write-protected.", Clip(string(one), 40))
		}
	}
	return nil
}
