package wire

import "renga"

// Policy is what a route asks of whoever calls it: a scope of the token, and one
// of some permissions on the app that the path names. The zero Policy is refused
// to everybody.
type Policy struct {
	chosen bool // by whoever wrote the route
	open   bool // to those without a token
	scope  renga.Scope
	app    []renga.Permission
}

// OnToken is the policy of a scope.
func OnToken(scope renga.Scope) Policy { return Policy{chosen: true, scope: scope} }

// OnApp is the policy of a scope and of one of some permissions on the app of
// the path.
func OnApp(scope renga.Scope, one renga.Permission, or ...renga.Permission) Policy {
	return Policy{chosen: true, scope: scope, app: append([]renga.Permission{one}, or...)}
}

// The policies that most routes have.
var (
	// Open is for what has a secret in its URL, and for people who have no token
	// yet: such routes ask for themselves who comes.
	Open     = Policy{chosen: true, open: true}
	AnyToken = Policy{chosen: true}

	WholeToken = OnToken(renga.ScopeGlobal)
	Reading    = OnToken(renga.ScopeRead)
	Writing    = OnToken(renga.ScopeWrite)

	Looking        = OnApp(renga.ScopeRead, renga.MayView)
	Operating      = OnApp(renga.ScopeWrite, renga.MayOperate)
	Deploying      = OnApp(renga.ScopeWrite, renga.MayDeploy)
	ReadingSecrets = OnApp(renga.ScopeReadProtected, renga.MayDeploy, renga.MayOperate)
	// SettingSecrets is asked of who runs a program too: it can print config vars.
	SettingSecrets = OnApp(renga.ScopeWriteProtected, renga.MayOperate)
)

// Asks tells what a policy asks for. What is empty is not asked for; nobody has
// the scope of the zero Policy.
func (p Policy) Asks() (renga.Scope, []renga.Permission) {
	if !p.chosen {
		return "none", nil
	}
	return p.scope, p.app
}
