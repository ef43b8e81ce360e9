package backups

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"renga"
)

// A backup is proven by restoring it: into a service of the same making beside the
// add-on's, which no app has, and which is removed then. Its id is recorded before it
// is made, so that a start after a kill finds what to remove.

// proofLimit bounds one proof.
const proofLimit = 6 * time.Hour

// prover begins the proof of the oldest backup that has none, one at a time.
func (s *Service) prover(working *sync.WaitGroup) func(context.Context) error {
	return func(ctx context.Context) error {
		if !s.Prove {
			return nil
		}
		all, err := s.Store.Backups(ctx)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(b renga.Backup) bool { return !b.Restorable() || b.Proof.State != "" })
		slices.SortFunc(all, func(a, b renga.Backup) int { return a.FinishedAt.Compare(b.FinishedAt) })
		for _, b := range all {
			a, err := s.AddOns.AddOn(ctx, b.AddOn)
			if renga.KindOf(err) == renga.NotFound || err == nil && a.State != renga.Provisioned {
				continue // there is nothing like it
			}
			if err != nil {
				return err
			}
			if !s.proving.TryLock() {
				return nil
			}
			working.Go(func() {
				defer s.look()
				defer s.proving.Unlock()
				s.prove(ctx, b, a)
			})
			return nil
		}
		return nil
	}
}

// prove restores a backup for a try, and records what came of it. What ends because
// Renga does is settled by the next start.
func (s *Service) prove(ctx context.Context, b renga.Backup, like renga.AddOn) {
	like = inVersionOf(b, like)
	p := renga.BackupProof{State: renga.ProofRunning, Scratch: renga.AddOnID(s.NewID()), At: s.Now().UTC()}
	if err := s.setProof(ctx, b, p); err != nil {
		s.Log.Warn("a proof is not begun", "backup", b.ID, "err", err)
		return
	}
	err := s.tryOut(ctx, b, like, p.Scratch)
	if ctx.Err() != nil {
		return
	}
	if err2 := s.discard(ctx, like, p.Scratch); err2 != nil {
		s.Log.Warn("what a backup was proven in is left until the next start", "backup", b.ID, "err", err2)
		return
	}
	p = renga.BackupProof{State: renga.Proven, At: s.Now().UTC()}
	if err != nil {
		p.State, p.Reason = renga.ProofFailed, renga.MessageOf(err, "Something went wrong; Renga's log says what.")
		s.Log.Warn("the proof of a backup failed", "addon", b.AddOnName, "backup", b.ID, "err", err)
	}
	if err := s.setProof(ctx, b, p); err != nil {
		s.Log.Warn("the proof of a backup is not recorded", "backup", b.ID, "err", err)
		return
	}
	if p.State == renga.ProofFailed {
		s.say(b, "Backup of "+b.AddOnName+" could not be proven: "+p.Reason)
	}
}

// inVersionOf is an add-on of the version that a backup was made in.
func inVersionOf(b renga.Backup, like renga.AddOn) renga.AddOn {
	if b.Version == "" {
		return like
	}
	options := map[string]string{}
	maps.Copy(options, like.Options)
	options["version"] = b.Version
	like.Options = options
	return like
}

func (s *Service) tryOut(ctx context.Context, b renga.Backup, like renga.AddOn, scratch renga.AddOnID) error {
	ctx, cancel := context.WithTimeout(ctx, proofLimit)
	defer cancel()
	if err := s.check(ctx, b); err != nil {
		return err
	}
	dump, done, err := s.open(ctx, b)
	if err != nil {
		return err
	}
	defer done()
	return s.Scratch.Try(ctx, like, scratch, dump)
}

// discardLimit bounds the removal of what a backup was proven in.
const discardLimit = 5 * time.Minute

func (s *Service) discard(ctx context.Context, like renga.AddOn, scratch renga.AddOnID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardLimit)
	defer cancel()
	return s.Scratch.Discard(ctx, like, scratch)
}

func (s *Service) setProof(ctx context.Context, b renga.Backup, p renga.BackupProof) error {
	return s.Store.EditBackup(ctx, b.App, b.ID, func(x *renga.Backup) error {
		if x.Removing {
			return renga.Errorf(renga.NotFound, "The backup is gone.")
		}
		x.Proof = p
		return nil
	})
}

// settleProof removes what a proof was killed over. It is made again.
func (s *Service) settleProof(ctx context.Context, b renga.Backup) error {
	like, err := s.AddOns.AddOn(ctx, b.AddOn)
	if renga.KindOf(err) == renga.NotFound {
		like, err = renga.AddOn{Service: b.Service, Plan: b.Plan}, nil
	}
	if err != nil {
		return err
	}
	if err := s.discard(ctx, inVersionOf(b, like), b.Proof.Scratch); err != nil {
		return err
	}
	return s.setProof(ctx, b, renga.BackupProof{})
}
