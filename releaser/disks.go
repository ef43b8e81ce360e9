package releaser

import (
	"slices"

	"renga"
)

// checkDisks refuses a release whose dynos could not have their disks as they are
// promised.
func checkDisks(in renga.Inputs, canary renga.Canary) error {
	mounts := in.Mounts()
	if err := renga.ValidateMounts(mounts); err != nil || !canary.On() {
		return err
	}
	alone := func(t renga.ProcessType) bool { return len(renga.Alone(mounts, t)) > 0 }
	if n := slices.IndexFunc(sortedTypes(in.Images), alone); n >= 0 {
		return renga.Errorf(renga.Invalid, "Process type %s has a disk that one dyno writes alone, and a canary's would write beside "+
			"the one that serves. Release without a canary, or switch off that of the app.", sortedTypes(in.Images)[n])
	}
	return nil
}
