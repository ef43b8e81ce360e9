package children_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"renga/children"
)

// parent is set in the processes that this test kills.
const parent = "RENGA_CHILDREN_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parent) == "" {
		os.Exit(m.Run())
	}
	if err := startAndStay(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// startAndStay starts a child in a thread that ends. Once the child has outlived
// the thread it says so, and stays until it is killed.
func startAndStay() error {
	child := exec.Command("sh", "-c", "read line; echo $line; exec sleep 60")
	in, err := child.StdinPipe()
	if err != nil {
		return err
	}
	child.Stdout = os.Stdout // which so is held open as long as either lives
	runtime.LockOSThread()   // the main thread, which never ends, is for this goroutine
	threads := make(chan int, 1)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		threads <- syscall.Gettid()
		err = children.Start(child, syscall.SIGKILL)
		threads <- 0
	}()
	thread := filepath.Join("/proc/self/task", strconv.Itoa(<-threads))
	if <-threads; err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(thread); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("the thread does not end")
		}
	}
	if _, err := io.WriteString(in, "alive\n"); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return errors.New("nobody killed the parent")
}

func TestChildrenOutliveTheirThreadAndNotTheirParent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), parent+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := children.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if said, err := lines.ReadString('\n'); err != nil || said != "alive\n" {
		t.Fatalf("the child's parent said %q, %v", said, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { // ends with the child
		_, err := io.ReadAll(lines)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the child has outlived its parent")
	}
	_ = cmd.Wait() // killed, as asked for
}

func TestCombinedOutputTellsBothStreamsAndTheEnd(t *testing.T) {
	out, err := children.CombinedOutput(exec.Command("sh", "-c", "echo out; echo err >&2; exit 3"), syscall.SIGKILL)
	var exit *exec.ExitError
	if string(out) != "out\nerr\n" || !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%q, %v", out, err)
	}
}
