package wire

import "renga"

// Policy is what a route requires of its callers: a scope of the token, and one of
// some permissions on the app that the path names. The zero Policy refuses
// everybody.
type Policy struct {
	chosen bool // false in the zero Policy
	open   bool // to callers without a token
	scope  renga.Scope
	app    []renga.Permission
	// partner lets the partner of the path's add-on in, besides.
	partner bool
}

// OnToken requires a scope.
func OnToken(scope renga.Scope) Policy { return Policy{chosen: true, scope: scope} }

// OnApp requires a scope and one of some permissions on the app of the path.
func OnApp(scope renga.Scope, one renga.Permission, or ...renga.Permission) Policy {
	return Policy{chosen: true, scope: scope, app: append([]renga.Permission{one}, or...)}
}

// OrPartner is the policy with the partner of the add-on that the path names let in
// too, who has no permissions on apps and sees no other route.
func (p Policy) OrPartner() Policy {
	p.partner = true
	return p
}

// The policies that most routes have.
var (
	// Open is for routes with a secret in their URL, and for people who have no
	// token yet. Such routes check their callers themselves.
	Open     = Policy{chosen: true, open: true}
	AnyToken = Policy{chosen: true}

	WholeToken = OnToken(renga.ScopeGlobal)
	Reading    = OnToken(renga.ScopeRead)
	Writing    = OnToken(renga.ScopeWrite)

	Looking   = OnApp(renga.ScopeRead, renga.MayView)
	Operating = OnApp(renga.ScopeWrite, renga.MayOperate)
	Deploying = OnApp(renga.ScopeWrite, renga.MayDeploy)
	// Pushing is required to bring in an image from elsewhere, as the registry does:
	// what it runs can print config vars.
	Pushing        = OnApp(renga.ScopeWriteProtected, renga.MayDeploy)
	ReadingSecrets = OnApp(renga.ScopeReadProtected, renga.MayDeploy, renga.MayOperate)
	// SettingSecrets is required to run a program too, because that can print
	// config vars.
	SettingSecrets = OnApp(renga.ScopeWriteProtected, renga.MayOperate)
)

// Asks gives the scope and the permissions that a policy requires. An empty one is
// not required. No token has the scope of the zero Policy.
func (p Policy) Asks() (renga.Scope, []renga.Permission) {
	if !p.chosen {
		return "none", nil
	}
	return p.scope, p.app
}

// AsksPartner tells whether the partner of the path's add-on is let in too.
func (p Policy) AsksPartner() bool { return p.partner }
