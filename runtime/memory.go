package runtime

import (
	"time"

	"renga/runtime/engine"
)

// r15Pause is the least time between two times that a dyno is told that it used
// too much memory: a server whose children die one after the other must not
// fill its log with that.
const r15Pause = 20 * time.Second

// onEvent takes what the engine tells. A process that is killed for lack of memory
// is told of at once, for the dyno may go on without it.
func (m *Manager) onEvent(ev engine.Event) {
	if i := ev.Instance; ev.OutOfMemory && m.toldOfMemory.allow(i.ID, m.opts.Now(), r15Pause) {
		m.say(ev.App, i.Name, "%s", r15(i))
	}
	m.Reconcile(ev.App)
}

func r15(i engine.Instance) string {
	return "Error R15 (Memory quota vastly exceeded) -> The process used more memory than " + i.Size + " allows"
}
