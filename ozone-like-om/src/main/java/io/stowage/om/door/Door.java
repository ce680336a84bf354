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
package io.stowage.om.door;

import io.stowage.common.access.AccessRequest;
import io.stowage.common.access.Acting;
import io.stowage.common.access.Authorizer;
import io.stowage.common.access.ExtendedAttributes;
import io.stowage.common.access.Origin;
import io.stowage.common.access.Person;
import io.stowage.common.access.Verdict;
import io.stowage.common.access.VersionText;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.policy.Question;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.CompleteUploadRequest;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.CreateBucketRequest;
import io.stowage.common.proto.CreateUploadRequest;
import io.stowage.common.proto.DeleteObjectsReply;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetBucketReply;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetBucketUsageRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.Lease;
import io.stowage.common.proto.LeaseContainersReply;
import io.stowage.common.proto.LeaseContainersRequest;
import io.stowage.common.proto.LegalHold;
import io.stowage.common.proto.ListBucketsRequest;
import io.stowage.common.proto.ListPartsRequest;
import io.stowage.common.proto.LocateContainersReply;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectLock;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.PutPartRequest;
import io.stowage.common.proto.ReleaseLeaseRequest;
import io.stowage.common.proto.RenewLeasesReply;
import io.stowage.common.proto.RenewLeasesRequest;
import io.stowage.common.proto.ReportDamageRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import io.stowage.common.proto.SyncFileRequest;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.common.proto.UploadInfo;
import io.stowage.common.proto.Versioning;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.ShardGrants;
import io.stowage.om.bucket.Usage;
import io.stowage.om.object.RecordNeedles;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.Descriptors.FieldDescriptor;
import org.apache.hadoop.thirdparty.protobuf.Message;

/**
 * Lets callers over RPC do with the namespace what they may, writes each decision down, and gives
 * them the tokens that datanodes ask for. Callers in this process, which is a gateway, have asked
 * the same {@link Authorizer} about S3's requests and sign their own. Thread-safe.
 *
 * <p>Who may what: calls that show secrets or could lose data are administrators' alone, and not
 * their jobs' or proxies'. What is done in buckets is asked for in S3's words ({@link Demand}), so
 * owners, policies and lists count as they do over S3; in FILE_SYSTEM buckets the permissions of
 * files decide where nothing else did, in the reads of the call itself. A call that is named
 * nowhere here is refused, so that one added later is closed until somebody thought about it.
 *
 * <p>Whom to tell of a change the bucket's rules say. A gateway, which comes as an administrator,
 * has looked at them, and says so with its request; what anybody else says of events is taken out
 * of his, else he could make them up for buckets that are not his, or keep a change from being
 * told. The object manager then looks itself.
 */
public final class Door {
  private static final Set<String> OF_ADMINISTRATORS =
      Set.of(
          "getIdentity",
          "putIdentity",
          "createUser",
          "updateUser",
          "listUsers",
          "deleteUser",
          "getEntity",
          "putEntity",
          "listEntities",
          "scanEvents",
          "clearEvents",
          "claimDuty",
          "judgeNeedles",
          "replaceExtents",
          "scanNamespace",
          "restoreRows",
          "restoreBucket");

  /**
   * Calls that show and change nothing of anybody's; a lease's holder is a secret of its own. They
   * are no decisions, and not written down but where they say bad of datanodes. They cost the
   * containers' manager something, so users make them at a bounded rate.
   */
  private static final Set<String> OF_EVERYBODY =
      Set.of("leaseContainer", "renewLeases", "releaseLease", "reportDamage", "locateContainers");

  private static final String QUOTA = Usage.SETTING;

  private final ObjectManager namespace;
  private final Authorizer authorizer;
  private final ShardGrants grants; // null: datanodes ask for no tokens
  private final Duration commitWindow;
  private final StoreClock clock;
  private final KnownUsers users;
  private final CallRates leases;
  private final CallRates reports;
  private final CallRates tokens;

  /**
   * How often one user may ask for leases and tokens and say bad of datanodes; 0: as often as he
   * likes.
   *
   * @param leases a minute; four minutes' worth at once, for jobs whose tasks begin together
   * @param reports a minute
   * @param tokens delegation tokens a minute; four minutes' worth at once, for what begins many
   *     jobs together
   */
  public record Rates(int leases, int reports, int tokens) {
    private static final int MINUTES_AT_ONCE = 4;
  }

  /**
   * @param grants null: datanodes ask for no tokens
   */
  public Door(
      ObjectManager namespace,
      Authorizer authorizer,
      ShardGrants grants,
      Duration commitWindow,
      StoreClock clock,
      Rates rates) {
    this.namespace = namespace;
    this.authorizer = authorizer;
    this.grants = grants;
    this.commitWindow = commitWindow;
    this.clock = clock;
    this.users = new KnownUsers(namespace, clock);
    this.leases = new CallRates(rates.leases(), Rates.MINUTES_AT_ONCE, clock);
    this.reports = new CallRates(rates.reports(), 1, clock);
    this.tokens = new CallRates(rates.tokens(), Rates.MINUTES_AT_ONCE, clock);
  }

  /** The call itself. */
  public interface Call {
    Object with(Message request) throws Throwable;
  }

  /**
   * Who stands before the door.
   *
   * @param user Hadoop's short name
   * @param administrator of the services: may make every call, unless what he shows was lent
   * @param superuser may do everything with buckets and files
   * @param proof how he has shown who he is
   * @param secure whether nobody on the way can read what is said
   */
  public record Visitor(
      String user,
      Supplier<Set<String>> groups,
      boolean administrator,
      boolean superuser,
      OwnSecrets.Proof proof,
      boolean secure,
      Origin origin) {
    /**
     * Whether he may what administrators alone may. What he does outlives what was lent, as {@link
     * OwnSecrets} has it; so one who speaks for an administrator, or has his token, may not.
     */
    boolean administers() {
      return administrator && proof != OwnSecrets.Proof.LENT;
    }
  }

  /** Whether a call is one of administrators, with or without a door. */
  public static boolean isOfAdministrators(String call) {
    return OF_ADMINISTRATORS.contains(call);
  }

  /**
   * Asks whether the call may be made, makes it, and completes its answer.
   *
   * @throws StoreException ACCESS_DENIED
   */
  public Object pass(String name, Message request, Visitor visitor, Call call) throws Throwable {
    if (OF_EVERYBODY.contains(name)) {
      if (grants != null && request instanceof RenewLeasesRequest renewal) {
        // He is given a newer token for each, by which he may name what was written under it.
        grants.checkWritten(visitor.user(), Manifest.getDefaultInstance(), renewal.getKeptList());
      }
      Message allowed = visitor.administers() ? request : ofUsers(name, request, visitor);
      return completed(call.with(allowed), visitor.user());
    }
    Passage passage = new Passage(name, visitor, users.find(visitor.user()));
    try (Acting acting = Acting.begin(passage.person)) {
      try {
        return passage.pass(request, acting, call);
      } catch (StoreException e) {
        if (e.code() == ErrorCode.ACCESS_DENIED) {
          acting.failed(e.getMessage());
        }
        throw e;
      }
    }
  }

  /**
   * A call of everybody's as a user may make it. What he says of datanodes is a claim, and written
   * down: it has them asked, and nothing is held against them for it.
   */
  private Message ofUsers(String name, Message request, Visitor visitor) throws StoreException {
    if (request instanceof LeaseContainersRequest) {
      CallRates.Answer answer = leases.take(visitor.user());
      if (answer != CallRates.Answer.YES) {
        throw tooMany(name, visitor, answer, "leases");
      }
    } else if (request instanceof ReportDamageRequest report) {
      CallRates.Answer answer = reports.take(visitor.user());
      if (answer != CallRates.Answer.YES) {
        throw tooMany(name, visitor, answer, "reports");
      }
      writeDown(name, visitor, Verdict.allowed("a claim, which is looked into"));
      return report.toBuilder().setClaimed(true).build();
    } else if (request instanceof ReleaseLeaseRequest release
        && release.getSuspectNodesCount() > 0) {
      CallRates.Answer answer = reports.take(visitor.user());
      if (answer == CallRates.Answer.YES) {
        writeDown(name, visitor, Verdict.allowed("a claim of datanodes, which are asked"));
        return release.toBuilder().setClaimed(true).build();
      }
      if (answer == CallRates.Answer.NO_AND_TELL) {
        writeDown(name, visitor, Verdict.allowed("but too many claims of datanodes a minute"));
      }
      return release.toBuilder().clearSuspectNodes().build(); // the lease is his to give back
    }
    return request;
  }

  private StoreException tooMany(String name, Visitor visitor, CallRates.Answer answer, String what)
      throws StoreException {
    if (answer == CallRates.Answer.NO_AND_TELL) {
      writeDown(name, visitor, Verdict.denied("too many " + what + " of one user a minute"));
    }
    return new StoreException(
        ErrorCode.OVERLOADED,
        "Cannot take the call "
            + name
            + ": user "
            + visitor.user()
            + " has asked for too many "
            + what
            + " within a minute");
  }

  /**
   * Takes one delegation token of those that a user may have.
   *
   * @throws StoreException OVERLOADED: too many; written down once a minute
   */
  public void meterToken(Visitor visitor) throws StoreException {
    CallRates.Answer answer =
        visitor.administers() ? CallRates.Answer.YES : tokens.take(visitor.user());
    if (answer != CallRates.Answer.YES) {
      throw tooMany("issueToken", visitor, answer, "delegation tokens");
    }
  }

  private void writeDown(String name, Visitor visitor, Verdict verdict) throws StoreException {
    Passage passage = new Passage(name, visitor, users.find(visitor.user()));
    authorizer.note(visitor.origin(), passage.question("stowage:" + name, null), verdict);
  }

  /** What makes a call that decides by itself whether it may be made. */
  public interface Attempt {
    Object run() throws Throwable;
  }

  /** Makes such a call, and writes its decision down. */
  public Object note(String name, Visitor visitor, Attempt attempt) throws Throwable {
    Passage passage = new Passage(name, visitor, users.find(visitor.user()));
    AccessRequest question = passage.question("stowage:" + name, null);
    try {
      Object reply = attempt.run();
      authorizer.note(
          visitor.origin(), question, Verdict.allowed("the rules of delegation tokens allow it"));
      return reply;
    } catch (StoreException e) {
      if (e.code() != ErrorCode.OVERLOADED) { // each one would fill the log
        authorizer.note(visitor.origin(), question, Verdict.denied(e.getMessage()));
      }
      throw e;
    }
  }

  /** One call on its way. Confined to its thread. */
  private final class Passage {
    private final String name;
    private final Visitor visitor;
    private final Identity identity;
    private final Person person;
    private final boolean superuser;

    private Seen seen;
    private ObjectVersion object;

    /** What an object was looked up by, in the call's bucket. */
    private record Seen(String key, long versionId, String snapshot) {}

    /** A demand that was decided on, and the question that it was. */
    private record Decided(AccessRequest question, Verdict verdict) {}

    Passage(String name, Visitor visitor, Identity identity) {
      this.name = name;
      this.visitor = visitor;
      this.identity = identity;
      String canonicalId = identity == null ? visitor.user() : identity.getUser();
      this.person = new Person(visitor.user(), canonicalId, visitor.groups());
      this.superuser =
          visitor.superuser()
              || visitor.administrator()
              || (identity != null && identity.getAdmin());
    }

    Object pass(Message asked, Acting acting, Call call) throws Throwable {
      Message request = visitor.administers() ? asked : withoutEvents(asked);
      if (OwnSecrets.isOne(request)) {
        return call.with(ofOwnSecret(request));
      }
      if (OF_ADMINISTRATORS.contains(name) || (visitor.administrator() && !isOfUsers(request))) {
        AccessRequest question = question("stowage:" + name, null);
        Verdict verdict = ofAdministrator();
        authorizer.note(visitor.origin(), question, verdict);
        require(question, verdict);
        return completed(call.with(request), visitor.user());
      }
      requireNoAdministrator(request);
      if (request instanceof CreateBucketRequest create) {
        String made = Question.resourceOf(create.getName(), null);
        demand(question("s3:CreateBucket", made, null, null, false, Map.of(), 0, ""));
        return call.with(
            superuser ? create : create.toBuilder().setOwner(person.canonicalId()).build());
      }
      if (request instanceof ListBucketsRequest list) {
        demand(question("s3:ListAllMyBuckets", null));
        return call.with(
            superuser ? list : list.toBuilder().setOwner(person.canonicalId()).build());
      }
      String bucketName = textOf(request, List.of("bucket", "name"));
      if (bucketName == null) {
        throw unknown();
      }
      BucketInfo bucket =
          namespace
              .getBucket(GetBucketRequest.newBuilder().setName(bucketName).build())
              .getBucket();
      boolean owns = superuser || person.is(bucket.getOwner());
      if (request instanceof GetBucketRequest) {
        authorizer.note(
            visitor.origin(),
            question("s3:GetBucketLocation", bucket),
            Verdict.allowed("anybody known may"));
        GetBucketReply reply = (GetBucketReply) call.with(request);
        return owns ? reply : withoutSettings(reply);
      }
      if (request instanceof DeleteObjectsRequest delete) {
        return delete(delete, bucket, call);
      }
      Demand ofBucket = Demand.ofBucketCall(name);
      Message whole = hides(bucket) ? withUnseen(request, bucket) : request;
      List<Demand> demands;
      if (ofBucket != null) {
        demands = List.of(ofBucket);
      } else if (!superuser && whole instanceof SetObjectMetadataRequest change) {
        ObjectMetadata before = before(change, bucket);
        SetObjectMetadataRequest changed = withTrustedOf(before, change);
        demands = Demand.changed(changed, before);
        whole = changed;
      } else {
        demands = Demand.of(whole, bucket);
      }
      if (demands == null) {
        throw unknown();
      }
      List<Decided> decided = new ArrayList<>();
      for (Demand demand : demands) {
        decided.add(decide(demand, bucket));
      }
      for (Decided one : decided) {
        conclude(one);
      }
      Message allowed = superuser ? whole : owns ? inHisName(whole) : ofHisOwn(whole, acting);
      checkWritten(allowed);
      Demand absence = superuser ? null : Demand.ofAbsence(allowed);
      Message reply =
          absence == null ? (Message) call.with(allowed) : foundBy(allowed, absence, bucket, call);
      return completed(told(reply, allowed, bucket), visitor.user());
    }

    /**
     * What a call finds, or not: that a key is not there, and where keys imply directories that a
     * path is no file and whether anything is below it, only who may list may know, as over S3.
     */
    private Message foundBy(Message request, Demand absence, BucketInfo bucket, Call call)
        throws Throwable {
      Message reply;
      try {
        reply = (Message) call.with(request);
      } catch (StoreException e) {
        if (e.code() == ErrorCode.NO_SUCH_KEY) {
          requireMayKnowOf(absence, bucket);
        }
        throw e;
      }
      boolean nothing =
          reply instanceof FindPathReply found
              ? found.getAbsent() || (found.getDirectory() && hides(bucket))
              : request instanceof GetObjectRequest get
                  && get.getVersionId() == 0
                  && reply instanceof GetObjectReply got
                  && got.getVersion().getDeleteMarker();
      if (nothing) {
        requireMayKnowOf(absence, bucket);
      }
      return reply;
    }

    /** Where permissions decide, they have, and it is told unless the listing is denied. */
    private void requireMayKnowOf(Demand absence, BucketInfo bucket) throws StoreException {
      Decided listing = decide(absence, bucket);
      if (hides(bucket) || listing.verdict().outcome() == Verdict.Outcome.DENIED) {
        conclude(listing);
      }
    }

    /** An answer as its caller is told it. */
    private Message told(Message reply, Message request, BucketInfo bucket) throws StoreException {
      Message told = hides(bucket) ? withoutUnseen(reply, request, bucket) : reply;
      return superuser ? told : withoutTrusted(told);
    }

    /** Whether no permissions of files decide there what of an object he may know. */
    private boolean hides(BucketInfo bucket) {
      return !superuser && bucket.getLayout() == BucketLayout.OBJECT;
    }

    /**
     * An answer about a bucket in which no permissions of files decide, without what its caller may
     * not know, over S3 either: of one object it tells what HEAD does, of many what listings do.
     */
    private Message withoutUnseen(Message reply, Message request, BucketInfo bucket)
        throws StoreException {
      Message told =
          Answers.with(
              reply,
              UploadInfo.getDescriptor(),
              upload -> ofUpload((UploadInfo) upload, request, bucket));
      Seen at = about(request, reply);
      return Answers.with(
          told,
          ObjectVersion.getDescriptor(),
          version ->
              at == null
                  ? Unseen.BUT_LISTED.leftOutOf((ObjectVersion) version)
                  : ofObject((ObjectVersion) version, request, bucket, at));
    }

    /** The one object that the answer to a request tells of; null: it tells of several. */
    private static Seen about(Message request, Message reply) {
      if (request instanceof GetObjectRequest get) {
        return new Seen(get.getKey(), get.getVersionId(), get.getSnapshot());
      }
      if (request instanceof FindPathRequest find) {
        boolean marker = reply instanceof FindPathReply found && found.getDirectory();
        return new Seen(find.getPath() + (marker ? "/" : ""), 0, find.getSnapshot());
      }
      if (request instanceof SetObjectMetadataRequest change) {
        return new Seen(change.getKey(), change.getVersionId(), "");
      }
      String key = textOf(request, List.of("key", "target"));
      return key == null ? null : new Seen(key, 0, "");
    }

    private ObjectVersion ofObject(
        ObjectVersion version, Message request, BucketInfo bucket, Seen at) throws StoreException {
      if (request instanceof GetObjectRequest || request instanceof FindPathRequest) {
        boolean read =
            (request instanceof GetObjectRequest get && get.getWantManifest())
                || may(ofGet(at, ""), bucket, at);
        return unseenOf(version, bucket, at, read).leftOutOf(version);
      }
      seen = at;
      object = version; // as the change has made it, or moved it there
      try {
        return unseenOf(version, bucket, at, may(ofGet(at, ""), bucket, at)).leftOutOf(version);
      } catch (StoreException e) { // which is no failure of the change
        return Unseen.BUT_LISTED.leftOutOf(version);
      }
    }

    /** Who may add parts encrypts them under the upload's envelope. */
    private UploadInfo ofUpload(UploadInfo upload, Message request, BucketInfo bucket)
        throws StoreException {
      UploadInfo told = Unseen.ofUpload(upload);
      boolean adds =
          request instanceof ListPartsRequest parts
              && upload.getMetadata().hasEncryption()
              && may("s3:PutObject", bucket, new Seen(parts.getKey(), 0, ""));
      return adds
          ? told.toBuilder()
              .setMetadata(
                  told.getMetadata().toBuilder()
                      .setEncryption(upload.getMetadata().getEncryption()))
              .build()
          : told;
    }

    /**
     * Asks about what there is alone.
     *
     * @param read whether he may read it
     */
    private Unseen unseenOf(ObjectVersion version, BucketInfo bucket, Seen at, boolean read)
        throws StoreException {
      ObjectMetadata metadata = version.getMetadata();
      ObjectLock lock = metadata.getLock();
      return new Unseen(
          !read,
          metadata.getTagsCount() > 0 && !may(ofGet(at, "Tagging"), bucket, at),
          metadata.getGrantsCount() > 0 && !may(ofGet(at, "Acl"), bucket, at),
          Unseen.isRetained(lock) && !may("s3:GetObjectRetention", bucket, at),
          lock.getLegalHold() != LegalHold.HOLD_NEVER_SET
              && !may("s3:GetObjectLegalHold", bucket, at));
    }

    private static String ofGet(Seen at, String what) {
      boolean past = at.versionId() != 0 || !at.snapshot().isEmpty();
      return "s3:GetObject" + (past ? "Version" : "") + what;
    }

    private boolean may(String action, BucketInfo bucket, Seen at) throws StoreException {
      AccessRequest question =
          question(action, bucket, at.key(), false, Map.of(), at.versionId(), at.snapshot());
      return authorizer.decide(visitor.origin(), question).isAllowed();
    }

    /** Who changes what an object says of itself says all of it, and knows it as he was told. */
    private Message withUnseen(Message request, BucketInfo bucket) throws StoreException {
      if (!(request instanceof SetObjectMetadataRequest change)) {
        return request;
      }
      Seen at = new Seen(change.getKey(), change.getVersionId(), "");
      ObjectVersion before = looked(bucket, at);
      if (before == null) {
        return request;
      }
      ObjectMetadata after =
          unseenOf(before, bucket, at, may(ofGet(at, ""), bucket, at))
              .keptIn(change.getMetadata(), before.getMetadata());
      return after.equals(change.getMetadata())
          ? change
          : change.toBuilder().setMetadata(after).build();
    }

    private Verdict ofAdministrator() {
      if (!visitor.administrator()) {
        return Verdict.denied("no administrator");
      }
      return visitor.administers()
          ? Verdict.allowed("administrator")
          : Verdict.denied("an administrator, who has shown no Kerberos ticket of his own");
    }

    /** Whether a call is one that users make; others are closed to all but administrators. */
    private boolean isOfUsers(Message request) throws StoreException {
      return request instanceof CreateBucketRequest
          || request instanceof ListBucketsRequest
          || request instanceof GetBucketRequest
          || request instanceof DeleteObjectsRequest
          || Demand.ofBucketCall(name) != null
          || Demand.of(request, BucketInfo.getDefaultInstance()) != null;
    }

    private ObjectMetadata before(SetObjectMetadataRequest change, BucketInfo bucket)
        throws StoreException {
      try {
        return Demand.before(change, bucket, namespace);
      } catch (StoreException e) {
        requireMayKnow(change, bucket);
        throw e;
      }
    }

    /**
     * That one whose change cannot be made, as there is no such thing or it is another by now, may
     * know that: he could change something of it, and may look at it. It was looked at by the
     * service; where permissions decide, it is looked at again by him, so what is written down is
     * what they said.
     */
    private void requireMayKnow(SetObjectMetadataRequest change, BucketInfo bucket)
        throws StoreException {
      Decided write = decide(Demand.ofChanging(change), bucket);
      if (write.verdict().outcome() == Verdict.Outcome.DENIED) {
        conclude(write);
      }
      Decided look = decide(Demand.ofLooking(change), bucket);
      conclude(look);
      if (look.verdict().outcome() == Verdict.Outcome.BY_PERMISSIONS) {
        try {
          var unused =
              namespace.findPath(
                  FindPathRequest.newBuilder()
                      .setBucket(bucket.getName())
                      .setPath(Demand.pathOf(change.getKey(), true))
                      .build());
        } catch (StoreException e) {
          if (e.code() == ErrorCode.ACCESS_DENIED) {
            throw e;
          }
        }
      }
    }

    /** Writes a decision down, or has permissions make it; throws what refuses. */
    private void conclude(Decided one) throws StoreException {
      require(one.question(), authorizer.conclude(visitor.origin(), one.question(), one.verdict()));
    }

    private Message ofOwnSecret(Message request) throws StoreException {
      AccessRequest question = question("stowage:" + name, null);
      try {
        Message allowed =
            OwnSecrets.allowed(request, visitor.user(), visitor.proof(), visitor.administrator());
        authorizer.note(visitor.origin(), question, Verdict.allowed("his own, or administrator"));
        return allowed;
      } catch (StoreException e) {
        authorizer.note(visitor.origin(), question, Verdict.denied(e.getMessage()));
        throw e;
      }
    }

    private StoreException unknown() {
      return refused("stowage:" + name, "no call of users");
    }

    /**
     * Who owns a bucket does not say how much it may hold, nor has all its rows read; and what S3
     * sets of it he sets over S3, where each setting has an action of its own, and is looked at
     * before it is kept.
     */
    private void requireNoAdministrator(Message request) throws StoreException {
      Set<String> changed = settingsOf(request);
      if (changed.contains(QUOTA) && !superuser) {
        throw refused("stowage:SetQuota", "no administrator");
      }
      if (!Set.of(QUOTA).containsAll(changed) && !visitor.administers()) {
        throw refused("stowage:SetBucketSettings", "what S3 sets of a bucket is set over S3");
      }
      if (request instanceof GetBucketUsageRequest usage && usage.getRecount() && !superuser) {
        throw refused("stowage:CountAnew", "no administrator");
      }
    }

    private StoreException refused(String action, String why) {
      AccessRequest question = question(action, null);
      Verdict verdict = Verdict.denied(why);
      authorizer.note(visitor.origin(), question, verdict);
      return refusal(question, verdict);
    }

    private void demand(AccessRequest question) throws StoreException {
      require(question, authorizer.ask(visitor.origin(), question));
    }

    private void require(AccessRequest question, Verdict verdict) throws StoreException {
      if (verdict.outcome() == Verdict.Outcome.DENIED) {
        throw refusal(question, verdict);
      }
    }

    private StoreException refusal(AccessRequest question, Verdict verdict) {
      return new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Permission denied: user="
              + visitor.user()
              + ", access="
              + question.action()
              + ", resource=\""
              + question.resource()
              + "\": "
              + verdict.why());
    }

    /**
     * Any of the demand's actions will do: the first that is allowed, or else the first that the
     * permissions of files decide about, or else the first.
     */
    private Decided decide(Demand demand, BucketInfo bucket) throws StoreException {
      Decided best = null;
      for (String action : demand.actions()) {
        boolean aboutBucket = action.startsWith("s3:List") && !action.endsWith("Parts");
        AccessRequest question =
            question(
                action,
                bucket,
                aboutBucket ? null : demand.key(),
                demand.below(),
                demand.facts(),
                demand.versionId(),
                demand.snapshot());
        Verdict verdict =
            action.equals(Demand.SET_TRUSTED) && !superuser
                ? Verdict.denied("no administrator")
                : authorizer.decide(visitor.origin(), question);
        if (verdict.isAllowed()) {
          return new Decided(question, verdict);
        }
        if (best == null
            || (verdict.outcome() == Verdict.Outcome.BY_PERMISSIONS
                && best.verdict().outcome() == Verdict.Outcome.DENIED)) {
          best = new Decided(question, verdict);
        }
      }
      return best;
    }

    private String path() {
      return identity == null ? "" : identity.getPath();
    }

    /** As IAM knows the caller: the id of the S3 user, if he is one who was given one. */
    private String uniqueId() {
      return identity == null || identity.getUserId().isEmpty()
          ? person.canonicalId()
          : identity.getUserId();
    }

    /** As IAM names the caller, whichever way he comes. */
    private String arn() {
      String path = path().isEmpty() ? "/" : path();
      return "arn:aws:iam::" + Question.ACCOUNT + ":user" + path + person.name();
    }

    /** About no key. */
    private AccessRequest question(String action, BucketInfo bucket) {
      return question(action, bucket, null, false, Map.of(), 0, "");
    }

    private AccessRequest question(
        String action,
        BucketInfo bucket,
        String key,
        boolean below,
        Map<String, String> said,
        long versionId,
        String snapshot) {
      String resource = bucket == null ? "*" : Question.resourceOf(bucket.getName(), key);
      return question(action, resource, bucket, key, below, said, versionId, snapshot);
    }

    private AccessRequest question(
        String action,
        String resource,
        BucketInfo bucket,
        String key,
        boolean below,
        Map<String, String> said,
        long versionId,
        String snapshot) {
      Instant now = Instant.ofEpochSecond(clock.wallMicros() / 1_000_000);
      Question.Facts facts =
          new Question.Facts()
              .put("aws:SourceIp", visitor.origin().address())
              .put("aws:SecureTransport", Boolean.toString(visitor.secure()))
              .put("aws:CurrentTime", now.truncatedTo(ChronoUnit.SECONDS).toString())
              .put("aws:EpochTime", Long.toString(now.getEpochSecond()))
              .put("aws:PrincipalType", "User")
              .put("aws:username", person.name())
              .put("aws:userid", uniqueId())
              .put("aws:PrincipalArn", arn())
              .put("aws:PrincipalAccount", Question.ACCOUNT)
              .put("aws:ResourceAccount", Question.ACCOUNT)
              .put("s3:ResourceAccount", Question.ACCOUNT)
              .put("s3:VersionId", VersionText.ofNamed(versionId))
              .unknown("s3:if-match")
              .unknown("s3:if-none-match")
              .unknown("s3:ObjectCreationOperation")
              .unknown("s3:RequestObjectTagKeys")
              .unknown("s3:object-lock-mode")
              .unknown("s3:object-lock-legal-hold")
              .unknown("s3:object-lock-retain-until-date")
              .unknown("s3:object-lock-remaining-retention-days")
              .unknown("aws:UserAgent")
              .unknown("aws:Referer");
      said.forEach(facts::put);
      return new AccessRequest(
          Question.Principal.user(person.canonicalId(), person.name(), path()),
          person,
          superuser,
          identity == null ? List.of() : identity.getPoliciesMap().values(),
          List.of(),
          action,
          resource,
          bucket,
          key,
          below,
          facts.done(),
          bucket == null || key == null || below
              ? AccessRequest.ObjectLookup.NONE
              : () -> looked(bucket, new Seen(key, versionId, snapshot)));
    }

    /** The last object that was looked up: alternatives and demands mostly ask about one. */
    private ObjectVersion looked(BucketInfo bucket, Seen asked) throws StoreException {
      if (!asked.equals(seen)) {
        object = object(bucket, asked.key(), asked.versionId(), asked.snapshot());
        seen = asked;
      }
      return object;
    }

    private Object delete(DeleteObjectsRequest request, BucketInfo bucket, Call call)
        throws Throwable {
      DeletedObject[] replies = new DeletedObject[request.getObjectsCount()];
      DeleteObjectsRequest.Builder allowed = request.toBuilder().clearObjects();
      List<Decided> concluded = new ArrayList<>();
      for (int i = 0; i < replies.length; i++) {
        ObjectToDelete what = request.getObjects(i);
        List<Decided> decided = new ArrayList<>();
        Decided denied = null;
        for (Demand demand : Demand.of(what)) {
          Decided one = decide(demand, bucket);
          denied = one.verdict().outcome() == Verdict.Outcome.DENIED ? one : denied;
          decided.add(one);
        }
        if (denied == null) {
          concluded.addAll(decided);
          allowed.addObjects(
              superuser ? what : what.toBuilder().setOwner(person.canonicalId()).build());
          continue;
        }
        authorizer.note(visitor.origin(), denied.question(), denied.verdict());
        replies[i] =
            DeletedObject.newBuilder()
                .setKey(what.getKey())
                .setErrorCode(ErrorCode.ACCESS_DENIED.number())
                .setErrorMessage(refusal(denied.question(), denied.verdict()).getMessage())
                .build();
      }
      for (Decided one : concluded) {
        var unused = authorizer.conclude(visitor.origin(), one.question(), one.verdict());
      }
      DeleteObjectsReply.Builder reply = DeleteObjectsReply.newBuilder();
      if (allowed.getObjectsCount() > 0) {
        DeleteObjectsReply done = (DeleteObjectsReply) call.with(allowed.build());
        reply.addAllRecords(done.getRecordsList());
        int next = 0;
        for (int i = 0; i < replies.length; i++) {
          if (replies[i] == null) {
            replies[i] = done.getObjects(next++);
          }
        }
      }
      return told(reply.addAllObjects(List.of(replies)).build(), request, bucket);
    }

    /**
     * What somebody makes in his own bucket is his own, too, where a client says whose it is: one
     * that came with a token, or by a proxy, knows its process's user and not him. Attributes that
     * a file is given, which other tools go by, are his to choose.
     */
    private Message inHisName(Message request) {
      if (request instanceof PutObjectRequest put && isAnothers(put.getMetadata())) {
        return RecordNeedles.with(
            put.getMetadata().toBuilder().setOwner(person.name()).build(), put);
      }
      if (request instanceof CreateUploadRequest upload && isAnothers(upload.getMetadata())) {
        return upload.toBuilder()
            .setMetadata(upload.getMetadata().toBuilder().setOwner(person.name()))
            .build();
      }
      return request;
    }

    private boolean isAnothers(ObjectMetadata metadata) {
      return !metadata.getOwner().isEmpty() && !person.is(metadata.getOwner());
    }

    /** What somebody makes in another's bucket is his own, whatever he says. */
    private Message ofHisOwn(Message request, Acting acting) {
      if (request instanceof PutObjectRequest put) {
        return RecordNeedles.with(ofHisOwn(put.getMetadata()), put);
      }
      if (request instanceof CreateUploadRequest upload) {
        return upload.toBuilder().setMetadata(ofHisOwn(upload.getMetadata())).build();
      }
      if (request instanceof SyncFileRequest sync && !acting.isLimitedIn(sync.getBucket())) {
        return sync.toBuilder().clearRowKey().build(); // the key was asked about, not that row
      }
      return request;
    }

    private ObjectMetadata ofHisOwn(ObjectMetadata metadata) {
      ObjectMetadata.Builder own = metadata.toBuilder();
      if (!person.is(metadata.getOwner())) {
        own.setOwner(person.name());
      }
      if (metadata.hasFile()) {
        own.setFile(metadata.getFile().toBuilder().clearOwner());
      }
      return own.build();
    }

    /** That he names no bytes as his that he did not write. */
    private void checkWritten(Message request) throws StoreException {
      if (grants == null || visitor.administers()) {
        return;
      }
      String user = visitor.user();
      if (request instanceof PutObjectRequest put) {
        grants.checkWritten(user, put.getManifest(), put.getGrantsList());
      } else if (request instanceof PutPartRequest part) {
        grants.checkWritten(user, part.getPart().getManifest(), part.getGrantsList());
      } else if (request instanceof SyncFileRequest sync) {
        grants.checkWritten(
            user,
            Manifest.newBuilder().addAllExtents(sync.getExtentsList()).build(),
            sync.getGrantsList());
      }
    }
  }

  /** Null if there is none. */
  private ObjectVersion object(BucketInfo bucket, String key, long versionId, String snapshot)
      throws StoreException {
    try {
      return namespace
          .getObject(
              GetObjectRequest.newBuilder()
                  .setBucket(bucket.getName())
                  .setKey(key)
                  .setVersionId(versionId)
                  .setSnapshot(snapshot)
                  .build())
          .getVersion();
    } catch (StoreException e) {
      if (e.code().blame() == ErrorCode.Blame.CALLER) {
        return null; // there is none, or the key is one that cannot be
      }
      throw e;
    }
  }

  /** Of a bucket of others one is told what it takes to use it. */
  private static GetBucketReply withoutSettings(GetBucketReply reply) {
    BucketInfo bucket = reply.getBucket();
    BucketInfo.Builder told = bucket.toBuilder().clearSettings();
    ByteString encryption = bucket.getSettingsMap().get(BucketEncryption.SETTING);
    if (encryption != null) {
      told.putSettings(BucketEncryption.SETTING, encryption);
    }
    return reply.toBuilder().setBucket(told).build();
  }

  private static Message withoutEvents(Message request) {
    if (request instanceof PutObjectRequest put && put.hasEvent()) {
      return put.toBuilder().clearEvent().build();
    }
    if (request instanceof CompleteUploadRequest complete && complete.hasEvent()) {
      return complete.toBuilder().clearEvent().build();
    }
    if (request instanceof SetObjectMetadataRequest change && change.hasEvent()) {
      return change.toBuilder().clearEvent().build();
    }
    if (request instanceof DeleteObjectsRequest delete) {
      DeleteObjectsRequest.Builder without = delete.toBuilder();
      without.getObjectsBuilderList().forEach(ObjectToDelete.Builder::clearEvent);
      return without.build();
    }
    return request;
  }

  /** Names of the settings that a request gives a bucket, or takes from it. */
  private static Set<String> settingsOf(Message request) {
    Set<String> names = new HashSet<>();
    Versioning versioning = Versioning.UNVERSIONED;
    if (request instanceof CreateBucketRequest create) {
      names.addAll(create.getSettingsMap().keySet());
      versioning = create.getVersioning();
    } else if (request instanceof UpdateBucketRequest update) {
      names.addAll(update.getPutMap().keySet());
      names.addAll(update.getRemoveList());
      versioning = update.getVersioning();
    }
    if (versioning != Versioning.UNVERSIONED) {
      names.add("versioning");
    }
    return names;
  }

  /** What a request says in the first of these fields that it has; null: it has none. */
  private static String textOf(Message request, List<String> fields) {
    for (String name : fields) {
      FieldDescriptor field = request.getDescriptorForType().findFieldByName(name);
      if (field != null && field.getJavaType() == FieldDescriptor.JavaType.STRING) {
        return (String) request.getField(field);
      }
    }
    return null;
  }

  /** What its maker was not shown, and so did not say, stays. */
  private static SetObjectMetadataRequest withTrustedOf(
      ObjectMetadata before, SetObjectMetadataRequest change) {
    return ExtendedAttributes.hasTrusted(before)
        ? change.toBuilder()
            .setMetadata(ExtendedAttributes.withTrustedOf(before, change.getMetadata()))
            .build()
        : change;
  }

  /**
   * Extended attributes of superusers are shown to them alone, as HDFS shows them; what others
   * change of an object leaves them as they are.
   */
  private static Message withoutTrusted(Message reply) throws StoreException {
    return Answers.with(
        reply,
        ObjectMetadata.getDescriptor(),
        metadata ->
            ExtendedAttributes.hasTrusted((ObjectMetadata) metadata)
                ? ExtendedAttributes.untrusted((ObjectMetadata) metadata)
                : metadata);
  }

  /** Tokens for what an answer shows the way to; nobody is told who holds what. */
  private Object completed(Object reply, String user) throws StoreException {
    if (grants == null) {
      return reply;
    }
    if (reply instanceof GetObjectReply object && object.getContainersCount() > 0) {
      Map<Long, ByteString> tokens =
          grants.forReader(user, object.getVersion().getManifest(), object.getContainersList());
      GetObjectReply.Builder signed = object.toBuilder().clearContainers();
      for (ContainerInfo container : object.getContainersList()) {
        signed.addContainers(
            withoutHolders(container)
                .setToken(tokens.getOrDefault(container.getId(), ByteString.EMPTY)));
      }
      return signed.build();
    }
    if (reply instanceof LocateContainersReply located) {
      LocateContainersReply.Builder stripped = LocateContainersReply.newBuilder();
      for (ContainerInfo container : located.getContainersList()) {
        stripped.addContainers(withoutHolders(container));
      }
      return stripped.build();
    }
    if (reply instanceof LeaseContainersReply lease && lease.hasLease()) {
      return lease.toBuilder().setLease(signed(lease.getLease(), user)).build();
    }
    if (reply instanceof RenewLeasesReply renewed) {
      RenewLeasesReply.Builder leases = RenewLeasesReply.newBuilder();
      for (Lease lease : renewed.getLeasesList()) {
        leases.addLeases(signed(lease, user));
      }
      for (Lease lease : renewed.getKeptList()) {
        leases.addKept(signed(lease, user));
      }
      return leases.build();
    }
    return reply;
  }

  private static ContainerInfo.Builder withoutHolders(ContainerInfo container) {
    return container.toBuilder().clearLeaseHolder().clearRepackHolder();
  }

  private Lease signed(Lease lease, String user) throws StoreException {
    return lease.toBuilder().setToken(grants.forWriter(user, lease, commitWindow)).build();
  }
}
