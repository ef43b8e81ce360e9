package runtime

import (
	"context"
	"fmt"

	"renga"
	"renga/runtime/plan"
)

// outcomes writes down how far releases came and what became of them.
type outcomes struct {
	*appScope
	marked   plan.Mark   // last
	finished plan.Finish // last
}

// mark writes down how far a pending release came.
func (oc *outcomes) mark(ctx context.Context, m plan.Mark) error {
	o := renga.Outcome{Status: renga.Pending, Phase: m.Phase, At: oc.m.opts.Now()}
	if m.Canary.On() {
		o.CanaryUntil = o.At.Add(m.Canary.For)
	}
	err := oc.m.db.SetOutcome(ctx, oc.app, m.Version, o)
	oc.m.stats.store(err)
	if err != nil {
		return oc.overtaken(fmt.Errorf("mark %s: %w", renga.VersionName(m.Version), err))
	}
	if m.Canary.On() {
		oc.logger().InfoContext(ctx, "canary", "release", m.Version, "percent", m.Canary.Percent, "until", o.CanaryUntil)
	} else {
		oc.logger().InfoContext(ctx, "release command", "release", m.Version, "phase", m.Phase)
	}
	if m != oc.marked { // as for finish
		oc.marked = m
		if m.Canary.On() {
			oc.tellOf(m.Version, "takes %d%% of the requests for %.0f seconds", m.Canary.Percent, m.Canary.For.Seconds())
		}
		oc.lookAgain()
	}
	return nil
}

// finish writes down what became of a release, unless that is another meanwhile.
func (oc *outcomes) finish(ctx context.Context, f plan.Finish) (written bool, err error) {
	o := renga.Outcome{Status: f.Status, Phase: f.Phase, Reason: f.Reason, Log: oc.tail(ctx, f.Instance), At: oc.m.opts.Now()}
	err = oc.m.db.SetOutcome(ctx, oc.app, f.Version, o)
	oc.m.stats.step("finish", err)
	oc.m.stats.store(err)
	if err != nil {
		return false, oc.overtaken(fmt.Errorf("finish %s: %w", renga.VersionName(f.Version), err))
	}
	oc.logger().InfoContext(ctx, "release finished", "release", f.Version, "status", f.Status, "reason", f.Reason)
	if f != oc.finished { // a store that forgets it must not keep the worker spinning
		oc.finished = f
		if f.Status == renga.Failed {
			oc.tellOf(f.Version, "failed: %s", f.Reason)
		}
		oc.lookAgain()
	}
	return true, nil
}

// tellOf adds a line about a release to the app's log, where those are that say
// who made it.
func (oc *outcomes) tellOf(version int, format string, args ...any) {
	oc.m.opts.Logs.Line(oc.app, renga.SourceApp, "api", "Release "+renga.VersionName(version)+" "+fmt.Sprintf(format, args...))
}

// overtaken lets an error pass, unless it is that somebody else has said before
// what became of the release: then another look finds that out.
func (oc *outcomes) overtaken(err error) error {
	if renga.KindOf(err) != renga.Conflict {
		return err
	}
	oc.logger().Info("the release's outcome is another meanwhile", "err", err)
	oc.lookAgain()
	return nil
}
