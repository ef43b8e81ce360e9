package bucket

import (
	"context"
	"errors"
	"net/http"

	"github.com/minio/minio-go/v7"

	"renga"
)

// answered is what the server says of an error; zero if it said nothing.
func answered(err error) minio.ErrorResponse {
	var r minio.ErrorResponse
	errors.As(err, &r)
	return r
}

func codeOf(err error) string { return answered(err).Code }

// mayPass tells whether the same may go well another time: nobody answered, or in vain.
func mayPass(err error) bool {
	r := answered(err)
	return r.Code == "" || r.StatusCode >= http.StatusInternalServerError || r.StatusCode == http.StatusTooManyRequests
}

// explain says what is wrong with the bucket, and what to do. Errors that say so
// already, and the ends of contexts, stay as they are.
func (b *Bucket) explain(err error) error {
	var told *renga.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return told
	case errors.Is(err, context.Canceled):
		return err
	}
	r := answered(err)
	kind, message := renga.Unavailable, ""
	switch r.Code {
	case "":
		message = "The endpoint " + b.endpoint + " of the backups' bucket does not answer: check --s3-endpoint, and whether it is up."
	case minio.NoSuchBucket, "InvalidBucketName":
		message = "There is no bucket " + b.bucket + " for backups at " + b.endpoint + ": make it, or correct --backups."
	case minio.NoSuchKey:
		kind, message = renga.NotFound, "The file of this backup is gone from the bucket; use another backup."
	case minio.PreconditionFailed:
		message = "The file of this backup was replaced while it was read. Try again."
	case minio.AccessDenied, "AllAccessDisabled", "AccountProblem":
		message = "The keys for the bucket " + b.bucket + " may not do that: let them read, write and delete objects, and list and " +
			"abort uploads in parts."
	case "InvalidAccessKeyId", minio.SignatureDoesNotMatch, "InvalidTokenId", "InvalidToken", "ExpiredToken", "TokenRefreshRequired":
		message = "The keys for the bucket " + b.bucket + " are wrong, or have expired (" + r.Code + "): correct --s3-credentials, or " +
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
	case "RequestTimeTooSkewed", "RequestExpired":
		message = "The clock of this machine and that of " + b.endpoint + " differ by more than 15 minutes: set this one right."
	case minio.AuthorizationHeaderMalformed, minio.InvalidRegion, "PermanentRedirect", "TemporaryRedirect",
		"IllegalLocationConstraintException":
		message = "The bucket " + b.bucket + " is in another region"
		if r.Region != "" {
			message += ", " + renga.Clip(r.Region, 40)
		}
		message += ": set --s3-region, or --s3-endpoint, to it."
	case "QuotaExceeded", "QuotaExceededException", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity":
		kind, message = renga.NoSpace, "The bucket "+b.bucket+" is full: make room, or delete backups."
	case minio.NoSuchUpload:
		message = "The upload to the bucket " + b.bucket + " was ended by somebody else: a rule of its lifecycle may be too short."
	default:
		message = "The bucket " + b.bucket + " refuses the request (" + renga.Clip(r.Code, 60) + "); Renga's log says more. Try again."
	}
	return &renga.Error{Kind: kind, Message: message, Err: err}
}
