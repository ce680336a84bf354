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
package io.stowage.s3.setting;

import static io.stowage.s3.xml.XmlShape.element;
import static io.stowage.s3.xml.XmlShape.number;
import static io.stowage.s3.xml.XmlShape.text;
import static io.stowage.s3.xml.XmlShape.truth;
import static io.stowage.s3.xml.XmlShape.word;

import io.stowage.common.om.BucketEncryption;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;
import java.util.List;

/**
 * The kinds of configuration that are stored and given back. Where one has an effect, the class
 * named after it reads it.
 */
public final class BucketSettings {
  private static final BucketSetting.Rule NONE = document -> {};

  public static final BucketSetting TAGGING =
      BucketSetting.removable(
          "tagging",
          "s3:GetBucketTagging",
          "s3:PutBucketTagging",
          Tags.SHAPE,
          document -> Tags.of(document, Tags.MOST_OF_A_BUCKET),
          S3Error.NO_SUCH_TAG_SET);

  public static final BucketSetting CORS =
      BucketSetting.removable(
          "cors",
          "s3:GetBucketCORS",
          "s3:PutBucketCORS",
          CorsRules.SHAPE,
          CorsRules::of,
          S3Error.NO_SUCH_CORS_CONFIGURATION);

  public static final BucketSetting PUBLIC_ACCESS_BLOCK =
      BucketSetting.removable(
          "publicAccessBlock",
          "s3:GetBucketPublicAccessBlock",
          "s3:PutBucketPublicAccessBlock",
          element(
              "PublicAccessBlockConfiguration",
              truth("BlockPublicAcls").otherwise("false"),
              truth("IgnorePublicAcls").otherwise("false"),
              truth("BlockPublicPolicy").otherwise("false"),
              truth("RestrictPublicBuckets").otherwise("false")),
          NONE,
          S3Error.NO_SUCH_PUBLIC_ACCESS_BLOCK_CONFIGURATION);

  public static final BucketSetting OWNERSHIP_CONTROLS =
      BucketSetting.removable(
          "ownershipControls",
          "s3:GetBucketOwnershipControls",
          "s3:PutBucketOwnershipControls",
          element(
              "OwnershipControls",
              element(
                  "Rule",
                  word(
                      "ObjectOwnership",
                      "BucketOwnerPreferred",
                      "ObjectWriter",
                      "BucketOwnerEnforced"))),
          NONE,
          S3Error.OWNERSHIP_CONTROLS_NOT_FOUND);

  public static final BucketSetting ENCRYPTION =
      BucketSetting.removable(
          BucketEncryption.SETTING,
          "s3:GetEncryptionConfiguration",
          "s3:PutEncryptionConfiguration",
          element(
              "ServerSideEncryptionConfiguration",
              element(
                  "Rule",
                  element(
                          "ApplyServerSideEncryptionByDefault",
                          word("SSEAlgorithm", "AES256", "aws:kms", "aws:kms:dsse"),
                          text("KMSMasterKeyID").optional())
                      .optional(),
                  truth("BucketKeyEnabled").otherwise("false"),
                  element(
                          "BlockedEncryptionTypes",
                          word("EncryptionType", "NONE", "SSE-C").times(0, 2))
                      .optional())),
          BucketSettings::encryption,
          S3Error.SERVER_SIDE_ENCRYPTION_CONFIGURATION_NOT_FOUND);

  public static final BucketSetting REQUEST_PAYMENT =
      BucketSetting.always(
          "requestPayment",
          "s3:GetBucketRequestPayment",
          "s3:PutBucketRequestPayment",
          element("RequestPaymentConfiguration", word("Payer", "BucketOwner", "Requester")),
          NONE,
          XmlOut.document("RequestPaymentConfiguration").text("Payer", "BucketOwner"));

  private static final XmlShape REDIRECT =
      element(
          "Redirect",
          text("HostName").optional(),
          word("Protocol", "http", "https").optional(),
          number("HttpRedirectCode", 300).optional(),
          text("ReplaceKeyPrefixWith").optional(),
          text("ReplaceKeyWith").optional());

  public static final BucketSetting WEBSITE =
      BucketSetting.removable(
          "website",
          "s3:GetBucketWebsite",
          "s3:PutBucketWebsite",
          element(
              "WebsiteConfiguration",
              element("IndexDocument", text("Suffix")).optional(),
              element("ErrorDocument", text("Key", s -> !s.isEmpty())).optional(),
              element("RedirectAllRequestsTo", text("HostName"), text("Protocol").optional())
                  .optional(),
              element(
                      "RoutingRules",
                      element(
                              "RoutingRule",
                              element(
                                      "Condition",
                                      text("KeyPrefixEquals").optional(),
                                      number("HttpErrorCodeReturnedEquals", 400).optional())
                                  .optional(),
                              REDIRECT)
                          .times(1, 50))
                  .optional()),
          BucketSettings::website,
          S3Error.NO_SUCH_WEBSITE_CONFIGURATION);

  public static final BucketSetting ACCELERATE =
      BucketSetting.always(
          "accelerate",
          "s3:GetAccelerateConfiguration",
          "s3:PutAccelerateConfiguration",
          element("AccelerateConfiguration", word("Status", "Enabled", "Suspended").optional()),
          NONE,
          XmlOut.document("AccelerateConfiguration"));

  /** Stored by an operation of its own, which looks at the target bucket. */
  public static final BucketSetting LOGGING =
      BucketSetting.always(
          "logging",
          "s3:GetBucketLogging",
          "s3:PutBucketLogging",
          LoggingTarget.SHAPE,
          NONE,
          XmlOut.document("BucketLoggingStatus"));

  /** Stored by an operation of its own, which knows the targets that there are. */
  public static final BucketSetting NOTIFICATION =
      BucketSetting.always(
          "notification",
          "s3:GetBucketNotification",
          "s3:PutBucketNotification",
          NotificationRules.SHAPE,
          NONE,
          XmlOut.document("NotificationConfiguration"));

  /** All of them; each makes the operations of its row in the operation table. */
  public static final List<BucketSetting> ALL =
      List.of(
          TAGGING,
          CORS,
          PUBLIC_ACCESS_BLOCK,
          OWNERSHIP_CONTROLS,
          ENCRYPTION,
          REQUEST_PAYMENT,
          WEBSITE,
          ACCELERATE);

  private BucketSettings() {}

  private static void encryption(XmlElement document) throws S3Exception {
    for (XmlElement rule : document.children("Rule")) {
      for (XmlElement by : rule.children("ApplyServerSideEncryptionByDefault")) {
        String algorithm = by.childText("SSEAlgorithm");
        String keyId = by.childText("KMSMasterKeyID");
        if (algorithm.equals("aws:kms:dsse")) {
          throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("SSEAlgorithm", algorithm);
        }
        if (keyId != null && (!algorithm.equals("aws:kms") || keyId.isBlank())) {
          throw new S3Exception(
                  S3Error.INVALID_ARGUMENT,
                  "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms")
              .with("ArgumentName", "ApplyServerSideEncryptionByDefault");
        }
      }
    }
  }

  private static void website(XmlElement document) throws S3Exception {
    for (XmlElement index : document.children("IndexDocument")) {
      String suffix = index.childText("Suffix");
      if (suffix.isEmpty() || suffix.contains("/")) {
        throw new S3Exception(
                S3Error.INVALID_ARGUMENT, "The IndexDocument Suffix is not well formed")
            .with("ArgumentName", "IndexDocument")
            .with("ArgumentValue", suffix);
      }
    }
    for (XmlElement redirect : document.children("RedirectAllRequestsTo")) {
      String protocol = redirect.childText("Protocol");
      if (protocol != null && !protocol.equals("http") && !protocol.equals("https")) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST,
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be"
                + " selected automatically.");
      }
    }
    boolean redirectsAll = !document.children("RedirectAllRequestsTo").isEmpty();
    boolean hasIndex = !document.children("IndexDocument").isEmpty();
    if (redirectsAll == hasIndex) {
      throw redirectsAll
          ? new S3Exception(
              S3Error.INVALID_ARGUMENT,
              "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
          : new S3Exception(
                  S3Error.INVALID_ARGUMENT,
                  "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is"
                      + " empty")
              .with("ArgumentName", "IndexDocument")
              .with("ArgumentValue", "null");
    }
  }
}
