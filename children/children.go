// Package children is for tests: it starts processes that do not outlive this
// one, however it ends. A test that is killed, that panics or takes too long
// runs none of its cleanups.
//
// What a process starts in turn is not held by this: it has to end with its own
// parent.
package children

import (
	"bytes"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Start starts a command as its own Start does. When this process ends first, the
// command gets the signal: SIGKILL, or SIGTERM if it has children of its own.
func Start(cmd *exec.Cmd, last syscall.Signal) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = last
	started := make(chan error)
	starts() <- func() { started <- cmd.Start() }
	return <-started
}

// Run starts a command and waits for its end.
func Run(cmd *exec.Cmd, last syscall.Signal) error {
	if err := Start(cmd, last); err != nil {
		return err
	}
	return cmd.Wait()
}

// CombinedOutput runs a command and returns what it wrote.
func CombinedOutput(cmd *exec.Cmd, last syscall.Signal) ([]byte, error) {
	var out bytes.Buffer // written by one goroutine: both are the same
	cmd.Stdout, cmd.Stderr = &out, &out
	err := Run(cmd, last)
	return out.Bytes(), err
}

// starts takes what the one thread does that is the parent of all children. To
// the kernel the parent is the thread, and Go ends threads: those whose goroutine
// ended with a lock on them. This one's lives as long as the process, and no other
// goroutine runs on it.
var starts = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() { // ends with the process, which is what it is for
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})
