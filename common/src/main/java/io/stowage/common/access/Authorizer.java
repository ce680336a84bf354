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
package io.stowage.common.access;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import java.util.List;

/**
 * The one place where decisions are taken, for gateways and object managers alike: it asks the
 * authoriser that the configuration names, has the permissions of files asked where that is the
 * answer, and writes down what came out. Thread-safe. Owns authoriser and audit log.
 */
public final class Authorizer implements AutoCloseable {
  private static final String PERMISSIONS_ALLOW = "the permissions of the files allow it";

  private final AccessAuthorizer rules;
  private final AuditLog audit;

  public Authorizer(AccessAuthorizer rules, AuditLog audit) {
    this.rules = rules;
    this.audit = audit;
  }

  /** The authoriser that the configuration names; the store's own if it names none. */
  public static AccessAuthorizer rules(StowageConfig config) throws StoreException {
    AccessAuthorizer own = new StoreRules();
    String name = config.get(Keys.ACCESS_AUTHORIZER);
    if (name.isEmpty()) {
      return own;
    }
    AccessAuthorizer named;
    try {
      named =
          Class.forName(name, true, Thread.currentThread().getContextClassLoader())
              .asSubclass(AccessAuthorizer.class)
              .getConstructor()
              .newInstance();
    } catch (ReflectiveOperationException | ClassCastException | LinkageError e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use " + Keys.ACCESS_AUTHORIZER.name() + " = " + name + ": " + e,
          e);
    }
    named.start(config.get(Keys.ACCESS_AUTHORIZER_SETTING), own);
    return named;
  }

  public AuditLog audit() {
    return audit;
  }

  /** Decides, and writes it down. Where the permissions of files decide, that is yet to come. */
  public Verdict ask(Origin origin, AccessRequest request) throws StoreException {
    return conclude(origin, request, decide(origin, request));
  }

  /**
   * Writes a decision down, or has the permissions of files decide. The decision as it is then:
   * where there are no such permissions to be asked, it is a denial.
   */
  public Verdict conclude(Origin origin, AccessRequest request, Verdict decided) {
    Verdict verdict = decided;
    Acting acting = Acting.current();
    if (verdict.outcome() == Verdict.Outcome.BY_PERMISSIONS) {
      if (acting == null
          || request.bucket() == null
          || !StoreRules.permissionsDecide(request.bucket(), request.action())) {
        verdict = Verdict.denied(StoreRules.NOTHING_ALLOWS);
      } else {
        acting.limitIn(
            request.bucket().getName(),
            request.key(),
            refusal ->
                note(
                    origin,
                    request,
                    refusal == null
                        ? Verdict.allowed(PERMISSIONS_ALLOW)
                        : Verdict.denied(refusal)));
        return verdict;
      }
    }
    note(origin, request, verdict);
    return verdict;
  }

  /** Decides without writing it down: a question on the way to another. */
  public Verdict decide(Origin origin, AccessRequest request) throws StoreException {
    if (request.superuser() && request.boundaries().isEmpty()) {
      return Verdict.allowed("administrator");
    }
    // What is looked up for a decision is looked up by the service, whatever bounds the caller.
    try (Acting lookUps = Acting.begin(request.person())) {
      return rules.decide(request);
    } catch (StoreException | RuntimeException e) {
      note(origin, request, Verdict.denied("cannot be decided: " + e.getMessage()));
      throw e;
    }
  }

  /** Writes a decision down. */
  public void note(Origin origin, AccessRequest request, Verdict verdict) {
    List<String> version = request.facts().get("s3:versionid");
    audit.add(
        origin,
        request.principal(),
        request.action(),
        Question.bucketOf(request.resource()), // also of one that is not there yet
        request.key(),
        version == null || version.isEmpty() ? null : version.get(0),
        verdict.isAllowed(),
        verdict.why());
  }

  @Override
  public void close() {
    rules.close();
    audit.close();
  }
}
