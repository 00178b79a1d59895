"""Meaning and example of each of the 30 relations and of the entity types: what `relex labels` prints.

The meanings follow the annotation guide of KLUE-RE (Park et al. 2021), the sentences were written for relex.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from relex.labels import NO_RELATION


@dataclass(frozen=True, slots=True)
class LabelExample:
    """A label's meaning, and a Korean sentence that has it, with its English translation.

    In both sentences square brackets enclose the subject (or an entity type's one entity), parentheses the object.
    """

    meaning: str
    korean_name: str
    korean: str
    english: str
    object_type: str = ""
    """Entity type of the object; empty where the example shows an entity type."""

    @property
    def sentence(self) -> str:
        """The Korean sentence without its marks."""
        return _without_marks(self.korean)

    @property
    def translation(self) -> str:
        """The English sentence without its marks."""
        return _without_marks(self.english)

    def span(self, marks: str) -> tuple[int, int]:
        """Return where the entity between two marks, "[]" or "()", starts and ends (exclusive) in `sentence`."""
        before, _, rest = self.korean.partition(marks[0])
        start = len(_without_marks(before))
        return start, start + len(rest.partition(marks[1])[0])


def _without_marks(text: str) -> str:
    return re.sub(r"[\[\]()]", "", text)


RELATION_EXAMPLES: Mapping[str, LabelExample] = MappingProxyType(
    {
        NO_RELATION: LabelExample(
            "None of the other 29 relations holds between subject and object.",
            "관계 없음",
            "[김연아]가 금메달을 딴 날 (부산)에는 비가 내렸다.",
            "On the day [Yuna Kim] won the gold medal, it rained in (Busan).",
            "LOC",
        ),
        "org:top_members/employees": LabelExample(
            "A person who leads the organization or belongs to it.",
            "대표·구성원",
            "[애플]의 (스티브 잡스)는 2007년에 아이폰을 소개했다.",
            "(Steve Jobs) of [Apple] introduced the iPhone in 2007.",
            "PER",
        ),
        "org:members": LabelExample(
            "An organization that belongs to the organization.",
            "소속 단체",
            "[현대자동차그룹]은 자동차 회사 (기아)를 계열사로 두고 있다.",
            "[Hyundai Motor Group] counts the carmaker (Kia) among its companies.",
            "ORG",
        ),
        "org:product": LabelExample(
            "A product that the organization makes.",
            "제품",
            "[삼성전자]는 2010년에 휴대전화 (갤럭시 S)를 내놓았다.",
            "[Samsung Electronics] released the (Galaxy S) phone in 2010.",
            "POH",
        ),
        "per:title": LabelExample(
            "A word for the person's office or occupation.",
            "직함",
            "[봉준호] (감독)이 칸 영화제에서 황금종려상을 받았다.",
            "(Director) [Bong Joon-ho] won the Palme d'Or at Cannes.",
            "POH",
        ),
        "org:alternate_names": LabelExample(
            "Another name of the organization.",
            "조직의 다른 이름",
            "[국제 연합]은 줄여서 (유엔)이라고 부른다.",
            "The [United Nations] is called the (UN) for short.",
            "ORG",
        ),
        "per:employee_of": LabelExample(
            "The organization that the person works for.",
            "소속 조직",
            "[손흥민]은 (토트넘 홋스퍼)에서 열 시즌을 뛰었다.",
            "[Son Heung-min] played ten seasons for (Tottenham Hotspur).",
            "ORG",
        ),
        "org:place_of_headquarters": LabelExample(
            "The place where the organization has its headquarters.",
            "본부 소재지",
            "[포스코]는 (포항)에 본사를 두고 있다.",
            "[POSCO] has its headquarters in (Pohang).",
            "LOC",
        ),
        "per:product": LabelExample(
            "A work or a product that the person made.",
            "작품",
            "[한강]은 소설 (채식주의자)를 썼다.",
            "[Han Kang] wrote the novel (The Vegetarian).",
            "POH",
        ),
        "org:number_of_employees/members": LabelExample(
            "How many people or members the organization has.",
            "구성원 수",
            "[방탄소년단]은 (일곱 명)으로 이루어진 그룹이다.",
            "[BTS] is a group of (seven).",
            "NOH",
        ),
        "per:children": LabelExample(
            "A child of the person.",
            "자녀",
            "[이성계]의 다섯째 아들 (이방원)은 조선의 세 번째 왕이 되었다.",
            "(Yi Bang-won), fifth son of [Yi Seong-gye], became the third king of Joseon.",
            "PER",
        ),
        "per:place_of_residence": LabelExample(
            "A place where the person lives or lived.",
            "거주지",
            "[정약용]은 유배를 당해 오랫동안 (강진)에서 살았다.",
            "Banished from court, [Jeong Yak-yong] lived in (Gangjin) for many years.",
            "LOC",
        ),
        "per:alternate_names": LabelExample(
            "Another name of the person.",
            "다른 이름",
            "[이황]은 (퇴계)라는 호로 널리 알려져 있다.",
            "[Yi Hwang] is widely known by his pen name, (Toegye).",
            "PER",
        ),
        "per:other_family": LabelExample(
            "A relative who is not a parent, child, sibling or spouse of the person.",
            "그 밖의 가족",
            "[정조]는 할아버지 (영조)의 뒤를 이어 왕이 되었다.",
            "[Jeongjo] followed his grandfather (Yeongjo) on the throne.",
            "PER",
        ),
        "per:colleagues": LabelExample(
            "Someone who works together with the person.",
            "동료",
            "[유재석]은 (박명수)와 함께 무한도전에 출연했다.",
            "[Yoo Jae-suk] appeared in Infinite Challenge together with (Park Myung-soo).",
            "PER",
        ),
        "per:origin": LabelExample(
            "The country, people or family that the person comes from.",
            "출신·국적",
            "(네덜란드) 출신인 [거스 히딩크]가 대표팀을 이끌었다.",
            "[Guus Hiddink], who comes from the (Netherlands), coached the national team.",
            "LOC",
        ),
        "per:siblings": LabelExample(
            "A brother or sister of the person.",
            "형제자매",
            "[정약용]의 형 (정약전)은 자산어보를 썼다.",
            "(Jeong Yak-jeon), a brother of [Jeong Yak-yong], wrote the book Jasaneobo.",
            "PER",
        ),
        "per:spouse": LabelExample(
            "The person's husband or wife.",
            "배우자",
            "[신사임당]은 열아홉 살에 (이원수)와 혼인했다.",
            "[Shin Saimdang] married (Yi Won-su) at the age of nineteen.",
            "PER",
        ),
        "org:founded": LabelExample(
            "The date on which the organization was founded.",
            "설립일",
            "[동아일보]는 (1920년 4월 1일)에 창간되었다.",
            "The [Dong-A Ilbo] was founded on (April 1, 1920).",
            "DAT",
        ),
        "org:political/religious_affiliation": LabelExample(
            "The religion or political movement that the organization belongs to.",
            "정치·종교 성향",
            "[동국대학교]는 (불교) 정신을 바탕으로 세워진 대학이다.",
            "[Dongguk University] was founded in the spirit of (Buddhism).",
            "ORG",
        ),
        "org:member_of": LabelExample(
            "The organization that the organization belongs to.",
            "상위 단체",
            "[기아]는 (현대자동차그룹)의 계열사이다.",
            "[Kia] is a company of the (Hyundai Motor Group).",
            "ORG",
        ),
        "per:parents": LabelExample(
            "The person's father or mother.",
            "부모",
            "[이방원]은 (이성계)의 다섯째 아들로 태어났다.",
            "[Yi Bang-won] was born as the fifth son of (Yi Seong-gye).",
            "PER",
        ),
        "org:dissolved": LabelExample(
            "The date on which the organization ceased to exist.",
            "해체일",
            "[소련]은 (1991년 12월)에 해체되었다.",
            "The [Soviet Union] was dissolved in (December 1991).",
            "DAT",
        ),
        "per:schools_attended": LabelExample(
            "A school or university that the person attended.",
            "출신 학교",
            "[윤동주]는 1941년에 (연희전문학교)를 졸업했다.",
            "[Yun Dong-ju] graduated from (Yonhi College) in 1941.",
            "ORG",
        ),
        "per:date_of_death": LabelExample(
            "The date on which the person died.",
            "사망일",
            "[윤동주]는 (1945년 2월 16일)에 세상을 떠났다.",
            "[Yun Dong-ju] died on (February 16, 1945).",
            "DAT",
        ),
        "per:date_of_birth": LabelExample(
            "The date on which the person was born.",
            "생년월일",
            "[윤동주]는 (1917년 12월 30일)에 태어났다.",
            "[Yun Dong-ju] was born on (December 30, 1917).",
            "DAT",
        ),
        "per:place_of_birth": LabelExample(
            "The place where the person was born.",
            "출생지",
            "[백남준]은 1932년 (서울)에서 태어났다.",
            "[Nam June Paik] was born in (Seoul) in 1932.",
            "LOC",
        ),
        "per:place_of_death": LabelExample(
            "The place where the person died.",
            "사망지",
            "[백남준]은 2006년 (마이애미)에서 세상을 떠났다.",
            "[Nam June Paik] died in (Miami) in 2006.",
            "LOC",
        ),
        "org:founded_by": LabelExample(
            "A person or organization that founded the organization.",
            "설립자",
            "[현대그룹]은 (정주영)이 세운 기업집단이다.",
            "[Hyundai Group] is a conglomerate founded by (Chung Ju-yung).",
            "PER",
        ),
        "per:religion": LabelExample(
            "The religion that the person believes in.",
            "종교",
            "[김대건]은 한국인 최초의 (천주교) 사제이다.",
            "[Kim Dae-geon] was the first Korean priest of the (Catholic Church).",
            "ORG",
        ),
    }
)
"""Meaning and example of every relation, in the order of `RELATIONS`."""

ENTITY_TYPE_EXAMPLES: Mapping[str, LabelExample] = MappingProxyType(
    {
        "PER": LabelExample("Person.", "사람", "[윤동주]는 시인이다.", "[Yun Dong-ju] is a poet."),
        "ORG": LabelExample(
            "Organization: a company, a school, a party, a team, a state.",
            "기관·단체",
            "[동아일보]는 1920년에 창간되었다.",
            "The [Dong-A Ilbo] was founded in 1920.",
        ),
        "LOC": LabelExample("Location.", "장소", "백남준은 [서울]에서 태어났다.", "Nam June Paik was born in [Seoul]."),
        "DAT": LabelExample(
            "Date.", "날짜", "소련은 [1991년 12월]에 해체되었다.", "The Soviet Union was dissolved in [December 1991]."
        ),
        "POH": LabelExample(
            "Another proper noun: a title, a work, a product.",
            "그 밖의 고유 명사",
            "한강은 소설 [채식주의자]를 썼다.",
            "Han Kang wrote the novel [The Vegetarian].",
        ),
        "NOH": LabelExample(
            "Another number: a count, an amount.",
            "그 밖의 수량",
            "방탄소년단은 [일곱 명]으로 이루어진 그룹이다.",
            "BTS is a group of [seven].",
        ),
    }
)
"""Meaning and example of every entity type, in the order of `ENTITY_TYPES`."""
