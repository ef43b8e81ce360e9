package renga

import (
	"slices"
	"strings"
	"time"
)

// Permission is what an account may do with an app that is not its own.
type Permission string

// Heroku's permissions.
const (
	MayView    Permission = "view"    // look at everything but secrets
	MayDeploy  Permission = "deploy"  // push and release; read config vars, as what is pushed can
	MayOperate Permission = "operate" // configure, scale, restart, run; read config vars
	MayManage  Permission = "manage"  // rename, transfer and delete the app, say who has access
)

// allPermissions is what an app's owner may do.
var allPermissions = []Permission{MayDeploy, MayManage, MayOperate, MayView}

// Collaborator is an account that an app is shared with.
type Collaborator struct {
	ID          string // of the sharing: a UUID
	Account     AccountID
	Permissions []Permission
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// SharedPermissions are the permissions of a new collaborator: those asked for,
// or the default if none were; always with MayView.
func SharedPermissions(asked []Permission) ([]Permission, error) {
	if len(asked) == 0 {
		return []Permission{MayDeploy, MayOperate, MayView}, nil
	}
	all := append([]Permission{MayView}, asked...)
	for _, p := range asked {
		if !slices.Contains(allPermissions, p) {
			return nil, Errorf(Invalid, "Permission %q does not exist; there are view, deploy, operate and manage.",
				Clip(string(p), 40))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Permissions are what an account may do with the app; none for strangers.
func (a App) Permissions(who AccountID) []Permission {
	if who == a.Owner {
		return allPermissions
	}
	return a.Collaborators[who].Permissions
}

// Permit is nil when an account may do one of those things with the app, and
// otherwise says why not. API, registry and git all ask here.
func (a App) Permit(who AccountID, either ...Permission) error {
	has := a.Permissions(who)
	switch {
	case slices.ContainsFunc(either, func(p Permission) bool { return slices.Contains(has, p) }):
		return nil
	case len(has) == 0:
		return Errorf(Forbidden, "You do not have access to the app %s.", a.Name)
	}
	return Errorf(Forbidden, "You do not have permission to do that with the app %s. You need to have %s permission on "+
		"this app.", a.Name, AnyPermission(either))
}

// AnyPermission names permissions of which one is enough.
func AnyPermission(either []Permission) string {
	names := make([]string, len(either))
	for i, p := range either {
		names[i] = string(p)
	}
	return strings.Join(names, " or ")
}

// Scope says how far a token goes.
type Scope string

// Heroku's scopes. Only protected ones reach secrets, above all config vars.
const (
	ScopeGlobal         Scope = "global"          // everything, the account included
	ScopeIdentity       Scope = "identity"        // look at the account
	ScopeRead           Scope = "read"            // look at apps
	ScopeWrite          Scope = "write"           // change apps
	ScopeReadProtected  Scope = "read-protected"  // look at apps and their secrets
	ScopeWriteProtected Scope = "write-protected" // change apps and their secrets
)

// The scopes of a robot token, which reaches the images of one app and nothing else.
const (
	ScopeRegistryPull Scope = "registry-pull"
	ScopeRegistryPush Scope = "registry-push" // and pull
)

// Scopes are the scopes of one token.
type Scopes []Scope

// widerScopes are the scopes that include each scope. A scope to change
// something includes reading it, for the answer to a change shows it.
var widerScopes = map[Scope]Scopes{
	ScopeGlobal:         {},
	ScopeIdentity:       {ScopeGlobal},
	ScopeRead:           {ScopeGlobal, ScopeWrite, ScopeReadProtected, ScopeWriteProtected},
	ScopeWrite:          {ScopeGlobal, ScopeWriteProtected},
	ScopeReadProtected:  {ScopeGlobal, ScopeWriteProtected},
	ScopeWriteProtected: {ScopeGlobal},

	ScopeRegistryPull: {ScopeRegistryPush},
	ScopeRegistryPush: {},
}

// Allow tells whether the scopes go as far as need.
func (s Scopes) Allow(need Scope) bool {
	return slices.ContainsFunc(s, func(has Scope) bool {
		return has == need || slices.Contains(widerScopes[need], has)
	})
}

// ValidateScopes tells whether a token may be made with these scopes, for an app's
// robot or for anybody else.
func ValidateScopes(s Scopes, robot bool) error {
	if len(s) == 0 {
		return Errorf(Invalid, "Name at least one scope, such as global.")
	}
	for _, one := range s {
		if _, known := widerScopes[one]; !known {
			return Errorf(Invalid, "Scope %q does not exist; there are global, identity, read, write, read-protected and "+
				"write-protected; and registry-pull and registry-push for an app.", Clip(string(one), 40))
		}
		if forRobots := one == ScopeRegistryPull || one == ScopeRegistryPush; forRobots != robot {
			return Errorf(Invalid, "A token for one app has the scope registry-pull or registry-push, and no other token has.")
		}
	}
	return nil
}
