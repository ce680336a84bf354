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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.proto.LifecycleRule;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What S3 takes for a lifecycle configuration, and what each of its refusals is called. */
class LifecycleConfigurationTest {
  private static LifecycleConfiguration parse(String rules) throws S3Exception {
    String document =
        "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + rules
            + "</LifecycleConfiguration>";
    return LifecycleConfiguration.of(
        XmlElement.parse(document.getBytes(StandardCharsets.UTF_8), "LifecycleConfiguration"));
  }

  private static String rule(String content) {
    return "<Rule><Status>Enabled</Status>" + content + "</Rule>";
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // the rule's shape
        "MalformedXML |",
        "MalformedXML | <Rule><Prefix/><Expiration><Days>1</Days></Expiration></Rule>",
        "MalformedXML |"
            + " <Rule><Status>enabled</Status><Prefix/><Expiration><Days>1</Days></Expiration></Rule>",
        "MalformedXML | @<Expiration><Days>1</Days></Expiration>",
        "MalformedXML | @<Prefix/><Filter/><Expiration><Days>1</Days></Expiration>",
        "MalformedXML | @<Prefix/><Shred/>",
        "MalformedXML |"
            + " @<Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><Days>1</Days></Expiration>",
        "MalformedXML | @<Filter><And/></Filter><Expiration><Days>1</Days></Expiration>",
        "InvalidRequest | @<Prefix/>",
        "InvalidRequest |"
            + " @<Filter><And><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>k</Key><Value>w</Value></Tag></And></Filter><Expiration><Days>1</Days></Expiration>",
        "InvalidRequest |"
            + " @<Filter><And><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>10</ObjectSizeLessThan></And></Filter><Expiration><Days>1</Days></Expiration>",
        "MalformedXML |"
            + " @<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter><Expiration><Days>1</Days></Expiration>",
        // expirations
        "MalformedXML | @<Prefix/><Expiration/>",
        "MalformedXML |"
            + " @<Prefix/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>",
        "MalformedXML | @<Prefix/><Expiration><Days>two</Days></Expiration>",
        "InvalidArgument | @<Prefix/><Expiration><Days>0</Days></Expiration>",
        "InvalidArgument | @<Prefix/><Expiration><Days>-1</Days></Expiration>",
        "InvalidArgument | @<Prefix/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>",
        "MalformedXML | @<Prefix/><Expiration><Date>20300101</Date></Expiration>",
        "InvalidRequest |"
            + " @<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        "InvalidArgument |"
            + " @<Prefix/><NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>",
        "MalformedXML |"
            + " @<Prefix/><NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        "InvalidArgument |"
            + " @<Prefix/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        "InvalidArgument |"
            + " @<Prefix/><AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        "InvalidRequest |"
            + " @<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        // transitions
        "MalformedXML |"
            + " @<Prefix/><Transition><Days>1</Days><StorageClass>TAPE</StorageClass></Transition>",
        "InvalidArgument |"
            + " @<Prefix/><Transition><Days>29</Days><StorageClass>STANDARD_IA</StorageClass></Transition>",
        "InvalidArgument |"
            + " @<Prefix/><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>30</Days></Expiration>",
        "InvalidRequest |"
            + " @<Prefix/><Transition><Date>2030-01-01T00:00:00Z</Date><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>30</Days></Expiration>",
        "InvalidRequest |"
            + " @<Prefix/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition><Transition><Days>2</Days><StorageClass>GLACIER</StorageClass></Transition>",
        // ids
        "InvalidArgument |"
            + " @<ID>a</ID><Prefix/><Expiration><Days>1</Days></Expiration>@<ID>a</ID><Prefix>b</Prefix><Expiration><Days>1</Days></Expiration>",
      })
  void refuses(String code, String rules) {
    String expanded =
        rules == null ? "" : rules.replace("@<", "</Rule><Rule><Status>Enabled</Status><");
    String document = expanded.startsWith("</Rule>") ? expanded.substring(7) + "</Rule>" : expanded;
    S3Exception e = assertThrows(S3Exception.class, () -> parse(document));
    assertEquals(code, e.error().code(), e.getMessage());
  }

  @Test
  void refusesAnIdOfMoreThan255LettersAndMoreThanAThousandRules() {
    String expires = "<Prefix/><Expiration><Days>1</Days></Expiration>";
    S3Exception id =
        assertThrows(
            S3Exception.class, () -> parse(rule("<ID>" + "a".repeat(256) + "</ID>" + expires)));
    assertEquals("InvalidArgument", id.error().code());
    S3Exception many = assertThrows(S3Exception.class, () -> parse(rule(expires).repeat(1_001)));
    assertEquals("MalformedXML", many.error().code());
  }

  @Test
  void readsAllThatARuleSays() throws Exception {
    LifecycleConfiguration configuration =
        parse(
            rule(
                    "<ID>all</ID><Filter><And><Prefix>p/</Prefix>"
                        + "<Tag><Key>k</Key><Value>v</Value></Tag>"
                        + "<ObjectSizeGreaterThan>0</ObjectSizeGreaterThan>"
                        + "<ObjectSizeLessThan>100</ObjectSizeLessThan></And></Filter>"
                        + "<Expiration><Days>3</Days></Expiration>"
                        + "<NoncurrentVersionExpiration><NoncurrentDays>4</NoncurrentDays>"
                        + "<NewerNoncurrentVersions>5</NewerNoncurrentVersions>"
                        + "</NoncurrentVersionExpiration>")
                + rule("<Prefix>old</Prefix><Expiration><Date>2030-01-02</Date></Expiration>")
                + rule(
                    "<Filter/><AbortIncompleteMultipartUpload>"
                        + "<DaysAfterInitiation>6</DaysAfterInitiation>"
                        + "</AbortIncompleteMultipartUpload>"
                        + "<NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays>"
                        + "<StorageClass>STANDARD_IA</StorageClass></NoncurrentVersionTransition>"));
    LifecycleRule all = configuration.rules().getRules(0);
    assertEquals("all", all.getId());
    assertEquals("p/", all.getPrefix());
    assertEquals("v", all.getTagsMap().get("k"));
    assertEquals(1, all.getLeastSize());
    assertEquals(100, all.getSizeBelow());
    assertEquals(3, all.getDays());
    assertEquals(4, all.getNoncurrentDays());
    assertEquals(5, all.getNewerNoncurrent());
    LifecycleRule dated = configuration.rules().getRules(1);
    assertEquals(
        Instant.parse("2030-01-02T00:00:00Z").getEpochSecond() * 1_000_000, dated.getDateMicros());
    assertEquals(6, configuration.rules().getRules(2).getAbortDays());
    // Given back as it came, and every rule has an id.
    assertTrue(configuration.document().contains("<Date>2030-01-02</Date>"));
    assertTrue(configuration.document().contains("<Prefix>old</Prefix>"));
    assertTrue(configuration.document().contains("<Filter></Filter>"));
    assertTrue(
        configuration.document().contains("<ID>" + dated.getId() + "</ID>"),
        configuration.document());
  }
}
