package docker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestFlightDoesItOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flight
		var times atomic.Int32
		gate, got := make(chan struct{}), make(chan string, 5)
		for range cap(got) {
			go func() {
				v, err := f.do(t.Context(), "k", func(context.Context) (string, error) {
					times.Add(1)
					<-gate
					return "value", nil
				})
				if err != nil {
					t.Error(err)
				}
				got <- v
			}()
		}
		synctest.Wait()
		close(gate)
		for range cap(got) {
			if v := <-got; v != "value" {
				t.Errorf("got %q", v)
			}
		}
		if times.Load() != 1 {
			t.Errorf("done %d times", times.Load())
		}
	})
}

func TestFlightGoesOnUntilTheLastWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flight
		ended := make(chan struct{})
		work := func(ctx context.Context) (string, error) {
			<-ctx.Done()
			close(ended)
			return "", ctx.Err()
		}
		first, leaveFirst := context.WithCancel(t.Context())
		second, leaveSecond := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		for _, ctx := range []context.Context{first, second} {
			go func() {
				_, err := f.do(ctx, "k", work)
				failed <- err
			}()
		}
		synctest.Wait()

		leaveFirst()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the work ended, and one still waits for it")
		default:
		}
		leaveSecond()
		_ = <-failed // how they ended is not what is asked here
		_ = <-ended
	})
}

func TestFlightBeginsAnewAfterAnEnd(t *testing.T) {
	var f flight
	for _, want := range []error{errors.New("one"), nil} {
		_, err := f.do(t.Context(), "k", func(context.Context) (string, error) { return "", want })
		if !errors.Is(err, want) {
			t.Errorf("got %v; want %v", err, want)
		}
	}
}
