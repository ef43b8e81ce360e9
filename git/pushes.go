package git

import (
	"context"
	"crypto/rand"
	"sync"

	"renga"
)

// push is a push that git is taking.
type push struct {
	app     renga.App
	who     caller
	dir     string // the repository
	secret  string // which its hook has
	arrived func() // it is here and well; called once
	over    chan struct{}
	// whenEnded has something done when the push is to end.
	whenEnded func(func(why error))

	// guarded by pushes
	spoken   bool // the hook has come
	deploys  bool
	accepted bool // its branch moves, or has moved
}

// pushes are those that git is taking. Of two of one app that are to be deployed the newer
// one counts: the older one's branch does not move.
type pushes struct {
	mu       sync.Mutex
	bySecret map[string]*push
	newest   map[renga.AppID]*push // that deploys
	killed   map[renga.AppID]bool  // there is a push of it that was killed, with what it left
}

func newPushes() *pushes {
	return &pushes{bySecret: map[string]*push{}, newest: map[renga.AppID]*push{}, killed: map[renga.AppID]bool{}}
}

// begin notes a push; done ends it.
func (s *pushes) begin(p *push) *push {
	p.secret, p.over = rand.Text(), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySecret[p.secret] = p
	return p
}

// done is called when git has ended, so that the branch has moved, or never will. A push that
// was killed leaves its quarantine. Nobody knows which it is, so that it is removed once there
// is no other push.
func (s *pushes) done(p *push, killed bool) {
	s.mu.Lock()
	delete(s.bySecret, p.secret)
	if killed {
		s.killed[p.app.ID] = true
	}
	if s.killed[p.app.ID] && !s.pushedTo(p.app.ID) {
		removeQuarantines(p.dir)
		delete(s.killed, p.app.ID)
	}
	if s.newest[p.app.ID] == p {
		delete(s.newest, p.app.ID)
	}
	s.mu.Unlock()
	close(p.over)
}

// pushedTo tells whether an app has a push. It is called with the lock held.
func (s *pushes) pushedTo(app renga.AppID) bool {
	for _, p := range s.bySecret {
		if p.app.ID == app {
			return true
		}
	}
	return false
}

// hasSpoken tells whether a push's hook has come.
func (s *pushes) hasSpoken(p *push) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.spoken
}

// take finds the push of a secret. A secret is good for one hook.
func (s *pushes) take(secret string) (*push, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.bySecret[secret]
	if !ok || p.spoken {
		return nil, false
	}
	p.spoken = true
	return p, true
}

// deploy makes a push the newest of its app. It waits for those whose branch is about to
// move, so that it sees where the branch is.
func (s *pushes) deploy(ctx context.Context, p *push) error {
	s.mu.Lock()
	p.deploys = true
	s.newest[p.app.ID] = p
	var moving []*push
	for _, other := range s.bySecret {
		if other.app.ID == p.app.ID && other.accepted {
			moving = append(moving, other)
		}
	}
	s.mu.Unlock()
	for _, other := range moving {
		select {
		case <-other.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return s.check(p)
}

var errNewer = renga.Errorf(renga.Conflict, "A newer push to this app has taken the place of this one.")

// check is an error if a newer push is to be deployed.
func (s *pushes) check(p *push) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest[p.app.ID] != p {
		return errNewer
	}
	return nil
}

// accept lets a push's branch move, unless there is a newer one, which counts on the
// branch as it is.
func (s *pushes) accept(p *push) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.deploys && s.newest[p.app.ID] != p {
		return errNewer
	}
	p.accepted = p.deploys
	return nil
}
