package backups_test

import (
	"os"
	"strings"
	"testing"

	"renga"
	"renga/store/storetest"
)

// proof waits until the proof of a backup has come to a state.
func (f *fixture) proof(b renga.Backup, state renga.ProofState) renga.BackupProof {
	f.Helper()
	var now renga.Backup
	storetest.Poll(f.T, "a proof that is "+string(state), func() bool {
		now, _ = f.find(b)
		return now.Proof.State == state
	})
	return now.Proof
}

func proving(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.stop()
	f.prove = true
	f.start()
	return f
}

// Each backup is restored for a try, and what that made is removed, however it went.
// A failure is told.
func TestProofs(t *testing.T) {
	f := proving(t)
	db := f.addOn("first-db", blog, long)
	good := f.captured(db)
	f.proof(good, renga.Proven)
	f.data.mu.Lock()
	f.data.faulty = renga.Errorf(renga.Unavailable, "It does not answer.")
	f.data.mu.Unlock()
	bad := f.captured(db)
	if p := f.proof(bad, renga.ProofFailed); p.Reason != "It does not answer." || f.data.scratches() != 0 {
		t.Errorf("the proof is %+v, and left %d", p, f.data.scratches())
	}
	storetest.Poll(t, "a line about it", func() bool {
		return f.said("Backup of first-db could not be proven: It does not answer.")
	})
	if f.data.restored != 0 || f.data.get(db.ID) != long {
		t.Error("a proof touched the data")
	}
}

// What a kill leaves of a proof is removed, and the proof made again; a backup that is
// being proven is not deleted under it.
func TestAProofThatWasCutShort(t *testing.T) {
	f := proving(t)
	b := f.captured(f.addOn("first-db", blog, "data"))
	f.proof(b, renga.Proven)
	unhold := f.data.hold()
	cut, err := f.Capture(t.Context(), f.addOn("second-db", blog, "data"), "", ada)
	if err != nil {
		t.Fatal(err)
	}
	<-f.data.begun // the dump
	unhold()
	unhold = f.data.hold()
	<-f.data.begun // the try
	if err := f.Delete(t.Context(), cut); renga.KindOf(err) != renga.Invalid {
		t.Errorf("deleting it: %v", err)
	}
	f.stop()
	if f.data.scratches() != 1 {
		t.Fatalf("%d are left by the kill", f.data.scratches())
	}
	unhold()
	f.start()
	f.proof(cut, renga.Proven)
	if f.data.scratches() != 0 {
		t.Errorf("%d are left", f.data.scratches())
	}
}

// A file that was changed is found out by its proof.
func TestADamagedFileIsNotProven(t *testing.T) {
	f := newFixture(t)
	b := f.captured(f.addOn("first-db", blog, long))
	f.stop()
	if err := os.Truncate(f.file(b), b.StoredBytes-1); err != nil {
		t.Fatal(err)
	}
	f.prove = true
	f.start()
	if p := f.proof(b, renga.ProofFailed); !strings.Contains(p.Reason, "cannot be read whole") {
		t.Errorf("it failed for %q", p.Reason)
	}
}
