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
package io.stowage.s3.operation;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.expiry.Retention;
import io.stowage.common.id.WriteId;
import io.stowage.common.policy.AccessSettings;
import io.stowage.common.policy.Acl;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.Versioning;
import io.stowage.s3.access.AclDocuments;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.ObjectLockConfiguration;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** PUT of a bucket. */
final class CreateBucket implements Operation {
  private static final int LARGEST_DOCUMENT = 64 << 10;

  /** Not of S3: how the bucket keys its rows. */
  private static final String LAYOUT = "x-stowage-layout";

  private static final String NAME_SPACE = "x-amz-bucket-namespace";

  /** What could be the name of a region somewhere. */
  private static final Pattern REGION = Pattern.compile("EU|[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}");

  private static final String OLDEST_REGION = "us-east-1";

  private final Backend backend;

  CreateBucket(Backend backend) {
    this.backend = backend;
  }

  @Override
  public String action() {
    return "s3:CreateBucket";
  }

  @Override
  public void authorize(Backend backend, S3Call call, String action)
      throws S3Exception, StoreException {
    backend
        .authorizer()
        .authorizeNewBucket(call.caller().subject(), action, call.bucketName(), call.facts());
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    ObjectHeaders.refuseUnsupported(call.headers());
    refuseOtherNames(call.header(NAME_SPACE));
    XmlElement document = call.document("CreateBucketConfiguration", LARGEST_DOCUMENT);
    String location = document == null ? null : document.childText("LocationConstraint");
    if (location != null && !location.isEmpty() && !location.equals(backend.region())) {
      if (!REGION.matcher(location).matches()) {
        throw new S3Exception(S3Error.INVALID_LOCATION_CONSTRAINT)
            .with("LocationConstraint", location);
      }
      throw new S3Exception(
          S3Error.ILLEGAL_LOCATION_CONSTRAINT,
          "The "
              + location
              + " location constraint is incompatible for the region specific endpoint this"
              + " request was sent to.");
    }
    CreateBucketRequest.Builder request =
        CreateBucketRequest.newBuilder()
            .setName(call.bucketName())
            .setOwner(call.caller().user())
            .setRegion(backend.region())
            .setWriteId(WriteId.random());
    request.setLayout(layout(call));
    String ownership = call.header("x-amz-object-ownership");
    if (ownership != null) {
      keep(request, BucketSettings.OWNERSHIP_CONTROLS.name(), ownershipControls(ownership));
    }
    String tags = document == null ? null : tagging(document);
    if (tags != null) {
      keep(request, BucketSettings.TAGGING.name(), tags);
    }
    if ("true".equalsIgnoreCase(call.header("x-amz-bucket-object-lock-enabled"))) {
      request.setVersioning(Versioning.ENABLED);
      keep(request, Retention.SETTING, ObjectLockConfiguration.enabled().document());
    }
    Acl acl =
        AclDocuments.ofHeaders(
            call.headers(), request.getOwner(), request.getOwner(), backend.users());
    if (!acl.texts().isEmpty()) {
      if ("BucketOwnerEnforced".equals(ownership)) {
        throw new S3Exception(S3Error.INVALID_BUCKET_ACL_WITH_OBJECT_OWNERSHIP);
      }
      keep(request, AccessSettings.ACL, String.join("\n", acl.texts()));
    }
    try {
      backend.namespace().createBucket(request.build());
    } catch (StoreException e) {
      if (e.code() != ErrorCode.BUCKET_OWNED_BY_CALLER || !backend.region().equals(OLDEST_REGION)) {
        throw e;
      }
      recreate(request, acl);
    }
    return Response.empty(200).header(HttpHeaderNames.LOCATION, "/" + call.bucketName());
  }

  /**
   * In the oldest region, and only there, a bucket that the caller has already is no error: its
   * access control list is set anew and all else stays.
   */
  private void recreate(CreateBucketRequest.Builder asked, Acl acl)
      throws S3Exception, StoreException {
    AccessSettings settings =
        new AccessSettings(
            backend
                .namespace()
                .getBucket(GetBucketRequest.newBuilder().setName(asked.getName()).build())
                .getBucket());
    if (settings.disablesLists() && !acl.texts().isEmpty()) {
      throw new S3Exception(S3Error.ACCESS_CONTROL_LIST_NOT_SUPPORTED);
    }
    Ownership.check(settings, acl);
    UpdateBucketRequest.Builder update =
        UpdateBucketRequest.newBuilder().setName(asked.getName()).setWriteId(WriteId.random());
    ByteString kept = asked.getSettingsMap().get(AccessSettings.ACL);
    if (kept == null) {
      update.addRemove(AccessSettings.ACL);
    } else {
      update.putPut(AccessSettings.ACL, kept);
    }
    backend.namespace().updateBucket(update.build());
  }

  /**
   * Names are everybody's here: none is kept for one account in one region, whatever it ends with,
   * and who asks for that is not to believe that it was done.
   */
  private static void refuseOtherNames(String nameSpace) throws S3Exception {
    if (nameSpace == null || nameSpace.equals("global")) {
      return;
    }
    if (nameSpace.equals("account-regional")) {
      throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", NAME_SPACE);
    }
    throw S3Call.invalid(NAME_SPACE, nameSpace, "Invalid " + NAME_SPACE + " header");
  }

  private static BucketLayout layout(S3Call call) throws S3Exception {
    String layout = call.header(LAYOUT);
    if (layout == null || layout.equals(BucketLayout.OBJECT.name())) {
      return BucketLayout.OBJECT;
    }
    if (layout.equals(BucketLayout.FILE_SYSTEM.name())) {
      return BucketLayout.FILE_SYSTEM;
    }
    throw S3Call.invalid(
        LAYOUT, layout, "Invalid " + LAYOUT + " header: expected OBJECT or FILE_SYSTEM");
  }

  private static void keep(CreateBucketRequest.Builder request, String name, String value) {
    request.putSettings(name, ByteString.copyFromUtf8(value));
  }

  /** The document that the tags of a configuration are kept as; null without any. */
  private static String tagging(XmlElement configuration) throws S3Exception {
    for (XmlElement tags : configuration.children("Tags")) {
      XmlOut out = XmlOut.document("Tagging").open("TagSet");
      tags.children().forEach(out::copy);
      byte[] document = out.finish().getBytes(StandardCharsets.UTF_8);
      return BucketSettings.TAGGING.accept(
          XmlElement.parse(document, BucketSettings.TAGGING.shape().name()));
    }
    return null;
  }

  private static String ownershipControls(String ownership) throws S3Exception {
    XmlOut out = XmlOut.document("OwnershipControls").open("Rule");
    String document = out.text("ObjectOwnership", ownership).finish();
    try {
      return BucketSettings.OWNERSHIP_CONTROLS.accept(
          XmlElement.parse(
              document.getBytes(StandardCharsets.UTF_8),
              BucketSettings.OWNERSHIP_CONTROLS.shape().name()));
    } catch (S3Exception e) {
      throw S3Call.invalid(
          "x-amz-object-ownership",
          ownership,
          "Invalid x-amz-object-ownership header: " + ownership);
    }
  }
}
