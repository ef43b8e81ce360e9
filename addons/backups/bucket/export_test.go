package bucket

import "renga/addons/backups"

// SetPart has parts of another size, which servers take from 5 MB on.
func (b *Bucket) SetPart(bytes int) { b.part = bytes }

// Rest waits until no part of an upload is under way.
func Rest(f backups.File) { _ = f.(*upload).await() } // whoever looks sees what is there

// SetTries has requests made so often at most.
func SetTries(n int) { maxTries = n }

// PartSize is partSize.
var PartSize = partSize
