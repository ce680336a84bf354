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
package io.stowage.dev.cli;

import io.stowage.client.repack.BucketConversion;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.BucketQuota;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.DeleteBucketRequest;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetBucketUsageReply;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.ListBucketsReply;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** {@code stowage bucket …}. */
@Command(
    name = "bucket",
    mixinStandardHelpOptions = true,
    description = "Create, list and remove buckets.",
    subcommands = {
      BucketCommands.Create.class,
      BucketCommands.Ls.class,
      BucketCommands.Stat.class,
      BucketCommands.Quota.class,
      BucketCommands.SetPolicy.class,
      BucketCommands.Convert.class,
      BucketCommands.Rm.class
    })
final class BucketCommands {
  private static final int PAGE = 1000;
  private static final String QUOTA = "quota";

  @Command(name = "create", mixinStandardHelpOptions = true, description = "Create a bucket.")
  static final class Create extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET")
    private String name;

    @Option(names = "--policy", description = "rs-3-2, rs-6-3, …; default: the cluster's")
    private String policy = "";

    @Option(names = "--layout", description = "OBJECT, the default, or FILE_SYSTEM")
    private BucketLayout layout = BucketLayout.OBJECT;

    @Option(names = "--owner", description = "default: you")
    private String owner = System.getProperty("user.name");

    @Override
    void run(Session session, Output output) throws Exception {
      BucketInfo bucket =
          session
              .recordingNamespace()
              .createBucket(
                  CreateBucketRequest.newBuilder()
                      .setName(name)
                      .setOwner(owner)
                      .setLayout(layout)
                      .setPolicy(policy)
                      .setWriteId(WriteId.random())
                      .build())
              .getBucket();
      output.done("created bucket " + bucket.getName() + " with " + bucket.getPolicy());
    }
  }

  @Command(name = "ls", mixinStandardHelpOptions = true, description = "List buckets.")
  static final class Ls extends ClusterCommand {
    @Override
    void run(Session session, Output output) throws Exception {
      List<Map<String, Object>> rows = new ArrayList<>();
      String after = "";
      ListBucketsReply page;
      do {
        page =
            session
                .objectManager()
                .listBuckets(
                    ListBucketsRequest.newBuilder().setAfter(after).setLimit(PAGE).build());
        for (BucketInfo bucket : page.getBucketsList()) {
          Map<String, Object> row = new LinkedHashMap<>();
          row.put("created", timeOf(bucket.getCreatedMicros()));
          row.put("policy", bucket.getPolicy());
          row.put("layout", bucket.getLayout());
          row.put("owner", bucket.getOwner());
          GetBucketUsageReply usage = usage(session, bucket.getName(), false);
          row.put("objects", usage.getObjects());
          row.put("bytes", new Output.Bytes(usage.getBytes()));
          row.put("bucket", bucket.getName());
          rows.add(row);
          after = bucket.getName();
        }
      } while (page.getMore());
      output.rows(rows);
    }
  }

  private static GetBucketUsageReply usage(Session session, String bucket, boolean recount)
      throws StoreException {
    return session
        .objectManager()
        .getBucketUsage(
            GetBucketUsageRequest.newBuilder().setBucket(bucket).setRecount(recount).build());
  }

  @Command(
      name = "stat",
      mixinStandardHelpOptions = true,
      description = "Show what a bucket is, holds and may hold.")
  static final class Stat extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET")
    private String name;

    @Option(names = "--recount", description = "Count what it holds anew, going through all rows.")
    private boolean recount;

    @Override
    void run(Session session, Output output) throws Exception {
      BucketInfo bucket =
          session
              .objectManager()
              .getBucket(GetBucketRequest.newBuilder().setName(name).build())
              .getBucket();
      GetBucketUsageReply usage = usage(session, name, recount);
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("bucket", bucket.getName());
      facts.put("owner", bucket.getOwner());
      facts.put("created", timeOf(bucket.getCreatedMicros()));
      facts.put("policy", bucket.getPolicy());
      facts.put("layout", bucket.getLayout());
      facts.put("versioning", bucket.getVersioning());
      facts.put("objects", usage.getObjects());
      facts.put("bytes", new Output.Bytes(usage.getBytes()));
      BucketQuota quota = usage.getQuota();
      if (quota.getObjects() != 0) {
        facts.put("quota of objects", quota.getObjects());
      }
      if (quota.getBytes() != 0) {
        facts.put("quota of bytes", new Output.Bytes(quota.getBytes()));
      }
      output.facts(facts);
    }
  }

  @Command(
      name = "quota",
      mixinStandardHelpOptions = true,
      description = {
        "Say how much a bucket may hold.",
        "What is not named stays as it is; what the bucket holds beyond a quota stays, too."
      })
  static final class Quota extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET")
    private String name;

    @Option(
        names = "--bytes",
        paramLabel = "SIZE",
        converter = SizeConverter.class,
        description = "bytes, or 10g, 500m, …; all versions count")
    private Long bytes;

    @Option(
        names = "--objects",
        paramLabel = "COUNT",
        description = "versions of objects; directories of FILE_SYSTEM buckets count, too")
    private Long objects;

    @Option(names = "--clear", description = "It may hold anything.")
    private boolean clear;

    @Override
    void run(Session session, Output output) throws Exception {
      if (!clear && bytes == null && objects == null) {
        throw new IllegalArgumentException("one of --bytes, --objects and --clear is needed");
      }
      BucketQuota.Builder quota =
          clear ? BucketQuota.newBuilder() : usage(session, name, false).getQuota().toBuilder();
      if (bytes != null) {
        quota.setBytes(bytes);
      }
      if (objects != null) {
        quota.setObjects(objects);
      }
      UpdateBucketRequest.Builder update =
          UpdateBucketRequest.newBuilder().setName(name).setWriteId(WriteId.random());
      if (quota.getBytes() == 0 && quota.getObjects() == 0) {
        update.addRemove(QUOTA);
      } else {
        update.putPut(QUOTA, quota.build().toByteString());
      }
      session.recordingNamespace().updateBucket(update.build());
      GetBucketUsageReply usage = usage(session, name, true);
      output.done(
          "bucket "
              + name
              + " holds "
              + new Output.Bytes(usage.getBytes())
              + " in "
              + usage.getObjects()
              + " objects, and may hold "
              + (quota.getBytes() == 0 ? "any size" : new Output.Bytes(quota.getBytes()))
              + " in "
              + (quota.getObjects() == 0 ? "any number" : quota.getObjects()));
    }
  }

  /** 10g and the like. */
  static final class SizeConverter implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      String digits = text.toLowerCase(Locale.ROOT);
      int unit = "kmgtp".indexOf(digits.charAt(digits.length() - 1));
      if (unit >= 0) {
        digits = digits.substring(0, digits.length() - 1);
      }
      try {
        long size = Math.multiplyExact(Long.parseLong(digits), 1L << (10 * (unit + 1)));
        if (size >= 0) {
          return size;
        }
      } catch (NumberFormatException | ArithmeticException e) {
        // told below
      }
      throw new TypeConversionException(text + " is no size");
    }
  }

  @Command(
      name = "set-policy",
      mixinStandardHelpOptions = true,
      description = "Give new objects of a bucket another erasure policy.")
  static final class SetPolicy extends ClusterCommand {
    @Parameters(index = "0", paramLabel = "BUCKET")
    private String name;

    @Parameters(index = "1", paramLabel = "POLICY", description = "rs-3-2, rs-6-3, …")
    private String policy;

    @Override
    void run(Session session, Output output) throws Exception {
      BucketInfo bucket =
          session
              .objectManager()
              .updateBucket(
                  UpdateBucketRequest.newBuilder()
                      .setName(name)
                      .setPolicy(policy)
                      .setWriteId(WriteId.random())
                      .build())
              .getBucket();
      output.done(
          "new objects of bucket "
              + bucket.getName()
              + " are of "
              + bucket.getPolicy()
              + "; 'stowage bucket convert "
              + bucket.getName()
              + "' writes the old ones again");
    }
  }

  @Command(
      name = "convert",
      mixinStandardHelpOptions = true,
      description = {
        "Write the objects of a bucket again that are not of its policy.",
        "Cut short, it goes on when called again."
      })
  static final class Convert extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET")
    private String name;

    @Option(names = "--after", paramLabel = "KEY", description = "Begin behind this key.")
    private String after = "";

    @Override
    void run(Session session, Output output) throws Exception {
      BucketConversion conversion =
          new BucketConversion(
              session.config(),
              session.objectManager(),
              session.containerManager(),
              session.dataPath());
      BucketConversion.Progress done =
          conversion.run(
              name,
              after,
              progress ->
                  System.err.printf(
                      "pass %d: %d objects looked at, %d converted, %d bytes; done up to %s%n",
                      progress.pass(),
                      progress.objects(),
                      progress.converted(),
                      progress.bytes(),
                      progress.lastKey()));
      tell(done, output);
    }

    static void tell(BucketConversion.Progress done, Output output) throws StoreException {
      String passes = done.pass() + (done.pass() == 1 ? " pass" : " passes");
      if (!done.over()) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE,
            "Cannot convert all: each of "
                + passes
                + " found some that were renamed meanwhile; repeat it");
      }
      output.done(
          "converted "
              + done.converted()
              + " of "
              + done.objects()
              + " objects, "
              + done.bytes()
              + " bytes, in "
              + passes
              + "; the last found nothing to convert");
    }
  }

  @Command(name = "rm", mixinStandardHelpOptions = true, description = "Remove an empty bucket.")
  static final class Rm extends ClusterCommand {
    @Parameters(paramLabel = "BUCKET")
    private String name;

    @Override
    void run(Session session, Output output) throws Exception {
      session
          .recordingNamespace()
          .deleteBucket(
              DeleteBucketRequest.newBuilder().setName(name).setWriteId(WriteId.random()).build());
      output.done("removed bucket " + name);
    }
  }
}
