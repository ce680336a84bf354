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
package io.stowage.s3.auth;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.common.policy.Question;
import io.stowage.s3.http.Request;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * What a request to any service says that conditions of policies may ask for: the global keys of
 * IAM ("AWS global condition context keys"). Stateless.
 */
public final class GlobalFacts {
  private GlobalFacts() {}

  /** The facts, to which a service adds its own. */
  public static Question.Facts of(Request request, Caller caller, String region, long nowMicros) {
    HttpHeaders headers = request.headers();
    Instant now = instant(nowMicros).truncatedTo(ChronoUnit.SECONDS);
    Question.Facts facts =
        new Question.Facts()
            .put("aws:SourceIp", request.remoteAddress())
            .put("aws:SecureTransport", Boolean.toString(request.secure()))
            .put("aws:CurrentTime", now.toString())
            .put("aws:EpochTime", Long.toString(now.getEpochSecond()))
            .put("aws:UserAgent", headers.get(HttpHeaderNames.USER_AGENT))
            .put("aws:Referer", headers.get(HttpHeaderNames.REFERER))
            .put("aws:RequestedRegion", region)
            .put("aws:ResourceAccount", Question.ACCOUNT)
            .put("aws:ViaAWSService", "false")
            .put("aws:PrincipalIsAWSService", "false")
            .put("aws:PrincipalType", principalType(caller));
    if (!caller.isAnonymous()) {
      facts
          .put("aws:username", caller.session().isOfRole() ? null : caller.displayName())
          .put("aws:userid", caller.uniqueId())
          .put("aws:PrincipalArn", caller.arn())
          .put("aws:PrincipalAccount", Question.ACCOUNT);
    }
    if (caller.session().isTemporary()) {
      facts.put("aws:MultiFactorAuthPresent", "false");
      addIssueTime(caller.session().issuedMicros(), facts);
    }
    return facts;
  }

  /** When a session began; of one whose token does not say it, that cannot be known. */
  private static void addIssueTime(long micros, Question.Facts facts) {
    if (micros == 0) {
      facts.unknown("aws:TokenIssueTime");
    } else {
      facts.put("aws:TokenIssueTime", instant(micros).toString());
    }
  }

  private static Instant instant(long micros) {
    return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
  }

  private static String principalType(Caller caller) {
    if (caller.isAnonymous()) {
      return "Anonymous";
    }
    return caller.session().isOfRole() ? "AssumedRole" : "User";
  }
}
