/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.s3.error;

import io.stowage.common.error.ErrorCode;

/**
 * Every error that this gateway answers with: S3's code, its HTTP status and the message that S3
 * gives where nobody knows better. {@link #of} is the only mapping from the store's own codes.
 * Immutable.
 *
 * @see <a href="https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html">S3 error
 *     responses</a>
 */
public enum S3Error {
  ACCESS_CONTROL_LIST_NOT_SUPPORTED(
      "AccessControlListNotSupported", 400, "The bucket does not allow ACLs"),
  ACCESS_FORBIDDEN("AccessForbidden", 403, "Access forbidden"),
  ACCESS_DENIED("AccessDenied", 403, "Access Denied"),
  AUTHORIZATION_HEADER_MALFORMED(
      "AuthorizationHeaderMalformed", 400, "The authorization header is malformed."),
  AUTHORIZATION_QUERY_PARAMETERS_ERROR(
      "AuthorizationQueryParametersError",
      400,
      "Query-string authentication parameters are not valid."),
  BAD_DIGEST(
      "BadDigest",
      400,
      "The Content-MD5 or checksum you specified did not match what we received."),
  BAD_REQUEST("BadRequest", 400, "The request could not be understood."),
  BUCKET_ALREADY_EXISTS(
      "BucketAlreadyExists",
      409,
      "The requested bucket name is not available. The bucket namespace is shared by all users of"
          + " the system. Please select a different name and try again."),
  BUCKET_ALREADY_OWNED_BY_YOU(
      "BucketAlreadyOwnedByYou",
      409,
      "Your previous request to create the named bucket succeeded and you already own it."),
  BUCKET_NOT_EMPTY("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"),
  CONDITIONAL_REQUEST_CONFLICT(
      "ConditionalRequestConflict",
      409,
      "The conditional request cannot succeed due to a conflicting operation against this"
          + " resource."),
  ENTITY_TOO_LARGE(
      "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size."),
  ENTITY_TOO_SMALL(
      "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"),
  EXPIRED_TOKEN("ExpiredToken", 400, "The provided token has expired."),
  ILLEGAL_VERSIONING_CONFIGURATION(
      "IllegalVersioningConfigurationException",
      400,
      "The versioning configuration specified in the request is invalid."),
  ILLEGAL_LOCATION_CONSTRAINT(
      "IllegalLocationConstraintException",
      400,
      "The location constraint is incompatible for the region specific endpoint this request was"
          + " sent to."),
  INCOMPLETE_BODY(
      "IncompleteBody",
      400,
      "You did not provide the number of bytes specified by the Content-Length HTTP header"),
  INTERNAL_ERROR("InternalError", 500, "We encountered an internal error. Please try again."),
  INVALID_ACCESS_KEY_ID(
      "InvalidAccessKeyId",
      403,
      "The AWS Access Key Id you provided does not exist in our records."),
  QUOTA_EXCEEDED("QuotaExceeded", 403, "The bucket holds as much as its quota allows."),
  INVALID_ARGUMENT("InvalidArgument", 400, "Invalid Argument"),
  INVALID_BUCKET_ACL_WITH_OBJECT_OWNERSHIP(
      "InvalidBucketAclWithObjectOwnership",
      400,
      "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"),
  INVALID_BUCKET_NAME("InvalidBucketName", 400, "The specified bucket is not valid."),
  INVALID_BUCKET_STATE(
      "InvalidBucketState",
      409,
      "An Object Lock configuration is present on this bucket, so the versioning state cannot be"
          + " changed."),
  INVALID_CHUNK_SIZE("InvalidChunkSizeError", 400, "The chunk size of the body is not valid."),
  INVALID_DIGEST("InvalidDigest", 400, "The Content-MD5 you specified was invalid."),
  INVALID_ENCRYPTION_ALGORITHM(
      "InvalidEncryptionAlgorithmError",
      400,
      "The encryption request you specified is not valid. The valid value is AES256."),
  INVALID_LOCATION_CONSTRAINT(
      "InvalidLocationConstraint", 400, "The specified location-constraint is not valid"),
  INVALID_OBJECT_STATE(
      "InvalidObjectState", 403, "The operation is not valid for the current state of the object"),
  INVALID_PART(
      "InvalidPart",
      400,
      "One or more of the specified parts could not be found.  The part may not have been uploaded,"
          + " or the specified entity tag may not match the part's entity tag."),
  INVALID_PART_NUMBER("InvalidPartNumber", 416, "The requested partnumber is not satisfiable"),
  INVALID_PART_ORDER(
      "InvalidPartOrder",
      400,
      "The list of parts was not in ascending order. Parts must be ordered by part number."),
  INVALID_POLICY_DOCUMENT(
      "InvalidPolicyDocument",
      400,
      "The content of the form does not meet the conditions specified in the policy document."),
  INVALID_RANGE("InvalidRange", 416, "The requested range is not satisfiable"),
  INVALID_REDIRECT_LOCATION(
      "InvalidRedirectLocation",
      400,
      "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."),
  INVALID_REQUEST("InvalidRequest", 400, "Invalid Request"),
  INVALID_RETENTION_PERIOD(
      "InvalidRetentionPeriod", 400, "Default retention period must be a positive integer value."),
  INVALID_STORAGE_CLASS("InvalidStorageClass", 400, "The storage class you specified is not valid"),
  INVALID_TAG("InvalidTag", 400, "The tag provided was not a valid tag."),
  INVALID_TARGET_BUCKET_FOR_LOGGING(
      "InvalidTargetBucketForLogging",
      400,
      "The target bucket for logging does not exist, is not owned by you, or does not have the"
          + " appropriate grants for the log-delivery group."),
  INVALID_TOKEN("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
  INVALID_URI("InvalidURI", 400, "Couldn't parse the specified URI."),
  KEY_TOO_LONG("KeyTooLongError", 400, "Your key is too long"),
  KMS_NOT_FOUND("KMS.NotFoundException", 400, "The key does not exist"),
  UNEXPECTED_CONTENT("UnexpectedContent", 400, "This request does not support content"),
  MALFORMED_ACL(
      "MalformedACLError",
      400,
      "The XML you provided was not well-formed or did not validate against our published schema"),
  MALFORMED_POLICY("MalformedPolicy", 400, "This policy contains invalid Json"),
  MALFORMED_POST_REQUEST(
      "MalformedPOSTRequest",
      400,
      "The body of your POST request is not well-formed multipart/form-data."),
  MALFORMED_TRAILER(
      "MalformedTrailerError",
      400,
      "The request contained trailing data that was not well-formed or did not conform to our"
          + " published schema."),
  MALFORMED_XML(
      "MalformedXML",
      400,
      "The XML you provided was not well-formed or did not validate against our published schema"),
  MAX_MESSAGE_LENGTH_EXCEEDED("MaxMessageLengthExceeded", 400, "Your request was too big."),
  MAX_POST_PRE_DATA_LENGTH_EXCEEDED(
      "MaxPostPreDataLengthExceeded",
      400,
      "Your POST request fields preceding the upload file were too large."),
  METADATA_TOO_LARGE(
      "MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"),
  METHOD_NOT_ALLOWED(
      "MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
  MISSING_CONTENT_LENGTH(
      "MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
  MISSING_REQUEST_BODY("MissingRequestBodyError", 400, "Request Body is empty"),
  MISSING_SECURITY_HEADER(
      "MissingSecurityHeader", 400, "Your request is missing a required header."),
  NO_SUCH_BUCKET("NoSuchBucket", 404, "The specified bucket does not exist"),
  NO_SUCH_BUCKET_POLICY("NoSuchBucketPolicy", 404, "The bucket policy does not exist"),
  NO_SUCH_CORS_CONFIGURATION(
      "NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"),
  NO_SUCH_KEY("NoSuchKey", 404, "The specified key does not exist."),
  NO_SUCH_LIFECYCLE_CONFIGURATION(
      "NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"),
  NO_SUCH_OBJECT_LOCK_CONFIGURATION(
      "NoSuchObjectLockConfiguration",
      404,
      "The specified object does not have a ObjectLock configuration"),
  NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION(
      "NoSuchPublicAccessBlockConfiguration",
      404,
      "The public access block configuration was not found"),
  NO_SUCH_TAG_SET("NoSuchTagSet", 404, "The TagSet does not exist"),
  NO_SUCH_UPLOAD(
      "NoSuchUpload",
      404,
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have"
          + " been aborted or completed."),
  NO_SUCH_VERSION("NoSuchVersion", 404, "The specified version does not exist."),
  NO_SUCH_WEBSITE_CONFIGURATION(
      "NoSuchWebsiteConfiguration",
      404,
      "The specified bucket does not have a website configuration"),
  NO_SUCH_CONFIGURATION("NoSuchConfiguration", 404, "The specified configuration does not exist."),
  NOT_IMPLEMENTED(
      "NotImplemented",
      501,
      "A header or parameter you provided implies functionality that is not implemented"),
  NOT_MODIFIED("NotModified", 304, "Not Modified"),
  OBJECT_LOCK_CONFIGURATION_NOT_FOUND(
      "ObjectLockConfigurationNotFoundError",
      404,
      "Object Lock configuration does not exist for this bucket"),
  OPERATION_ABORTED(
      "OperationAborted",
      409,
      "A conflicting conditional operation is currently in progress against this resource. Try"
          + " again."),
  OWNERSHIP_CONTROLS_NOT_FOUND(
      "OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found"),
  PRECONDITION_FAILED(
      "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"),
  REPLICATION_CONFIGURATION_NOT_FOUND(
      "ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found"),
  REQUEST_HEADER_SECTION_TOO_LARGE(
      "RequestHeaderSectionTooLarge",
      400,
      "Your request header section exceeds the maximum allowed request header section size"),
  REQUEST_TIME_TOO_SKEWED(
      "RequestTimeTooSkewed",
      403,
      "The difference between the request time and the current time is too large."),
  REQUEST_TIMEOUT(
      "RequestTimeout",
      400,
      "Your socket connection to the server was not read from or written to within the timeout"
          + " period."),
  SERVER_SIDE_ENCRYPTION_CONFIGURATION_NOT_FOUND(
      "ServerSideEncryptionConfigurationNotFoundError",
      404,
      "The server side encryption configuration was not found"),
  SERVICE_UNAVAILABLE(
      "ServiceUnavailable", 503, "Service is unable to handle request. Please reduce your rate."),
  SIGNATURE_DOES_NOT_MATCH(
      "SignatureDoesNotMatch",
      403,
      "The request signature we calculated does not match the signature you provided. Check your"
          + " key and signing method."),
  SLOW_DOWN("SlowDown", 503, "Please reduce your request rate."),
  UNRESOLVABLE_GRANT_BY_EMAIL_ADDRESS(
      "UnresolvableGrantByEmailAddress",
      400,
      "The e-mail address you provided does not match any account on record."),
  X_AMZ_CONTENT_SHA256_MISMATCH(
      "XAmzContentSHA256Mismatch",
      400,
      "The provided 'x-amz-content-sha256' header does not match what was computed.");

  private final String code;
  private final int status;
  private final String message;

  S3Error(String code, int status, String message) {
    this.code = code;
    this.status = status;
    this.message = message;
  }

  /** S3's name of the error, as clients compare it. */
  public String code() {
    return code;
  }

  /** HTTP status. */
  public int status() {
    return status;
  }

  /** What to say where nothing more precise is known. */
  public String message() {
    return message;
  }

  /** S3's error for a code of the store. Exhaustive: a new code does not compile unmapped. */
  public static S3Error of(ErrorCode code) {
    return switch (code) {
      case INVALID_ARGUMENT -> INVALID_ARGUMENT;
      case INVALID_NAME -> INVALID_BUCKET_NAME;
      case NO_SUCH_BUCKET -> NO_SUCH_BUCKET;
      case BUCKET_EXISTS -> BUCKET_ALREADY_EXISTS;
      case BUCKET_OWNED_BY_CALLER -> BUCKET_ALREADY_OWNED_BY_YOU;
      case BUCKET_NOT_EMPTY -> BUCKET_NOT_EMPTY;
      case NO_SUCH_KEY -> NO_SUCH_KEY;
      case NO_SUCH_VERSION -> NO_SUCH_VERSION;
      case KEY_EXISTS, PRECONDITION_FAILED -> PRECONDITION_FAILED;
      case NOT_MODIFIED -> NOT_MODIFIED;
      case CONFLICT -> OPERATION_ABORTED;
      case NO_SUCH_UPLOAD -> NO_SUCH_UPLOAD;
      case INVALID_PART -> INVALID_PART;
      case INVALID_PART_ORDER -> INVALID_PART_ORDER;
      case PART_TOO_SMALL -> ENTITY_TOO_SMALL;
      case TOO_LARGE -> ENTITY_TOO_LARGE;
      case BAD_CHECKSUM -> BAD_DIGEST;
      case INCOMPLETE_BODY -> INCOMPLETE_BODY;
      case ACCESS_DENIED -> ACCESS_DENIED;
      case INVALID_RANGE -> INVALID_RANGE;
      case BUCKET_LOCKED -> INVALID_BUCKET_STATE;
      case BUCKET_READ_ONLY -> METHOD_NOT_ALLOWED;
      case QUOTA_EXCEEDED -> QUOTA_EXCEEDED;
      case NO_SUCH_ENCRYPTION_KEY -> KMS_NOT_FOUND;
      case NOT_A_DIRECTORY, IS_A_DIRECTORY, DIRECTORY_NOT_EMPTY -> INVALID_REQUEST;
      // The operation may work at once elsewhere or a little later: clients retry 503.
      case UNAVAILABLE,
          NOT_LEADER,
          TIMEOUT,
          CLOCK_SKEW,
          FENCED,
          LEASE_LOST,
          COMMIT_TOO_LATE,
          SHARD_SEALED,
          NO_SUCH_SHARD,
          SHARD_FAILED,
          EPOCH_LIST_FULL,
          NOT_ENOUGH_NODES,
          DISK_FULL,
          CONTAINER_FULL,
          TOO_MANY_VERSIONS,
          DATA_UNAVAILABLE ->
          SERVICE_UNAVAILABLE;
      case OVERLOADED -> SLOW_DOWN;
      // An unknown outcome must not look like a refusal: 500 tells the client to find out itself.
      case OUTCOME_UNKNOWN,
          INTERNAL,
          SECTOR_WRITTEN,
          NO_SUCH_CONTAINER,
          WRONG_CLUSTER,
          FORMAT_TOO_NEW,
          FORMAT_TOO_OLD,
          BAD_CONFIGURATION,
          CORRUPT_DATA ->
          INTERNAL_ERROR;
    };
  }
}
