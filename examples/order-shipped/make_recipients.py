"""Makes recipients.csv: 2,000 different people with an order each, the same at every run.

    python examples/order-shipped/make_recipients.py

The people and their notes are made up, and every address is under a name reserved for examples (RFC 2606,
RFC 6761), so a mistake reaches nobody. Values are as awkward as real ones: all scripts, line breaks, leading dots,
trailing blanks, 300 characters, and what a mail format could take for its own (`=`, `%%Name%%`, `<`, `&`, quotes).

Columns: contactKey, to and messageKey, then the attributes of the send request by name. They are what a shop has at
hand: dates in ISO form, amounts as plain numbers, the order's lines as JSON; the template makes sentences of them.
Attributes that a reader with another taste would change are the lists below.
"""

import csv
import io
import json
import random
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

PEOPLE = 2000
SEED = 20261123
FILE = Path(__file__).with_name("recipients.csv")
KEYS = ("contactKey", "to", "messageKey")
ATTRIBUTES = (
    "FirstName", "FullName", "OrderNumber", "OrderDate", "Lines", "ShippingCost", "Culture", "Shipping", "Carrier",
    "TrackingNumber", "DeliveryDate", "Address", "DeliveryNote",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where some of the customers live. Names are `written` or `written/latin` where an address can't show them.

    `name` joins first and last; `culture` says how amounts are written, which are `rate` times the euros rounded to
    `cents` decimals; `hosts` are domains that people there use.
    """

    first: str
    last: str
    name: str
    culture: str
    cents: int
    rate: float
    cities: tuple[str, ...]
    street: str
    hosts: tuple[str, ...]
    notes: tuple[str, ...]


PLAIN_HOSTS = ("example.com", "example.net", "example.org", "mail.example.com", "post.example.net", "home.example.org")

PLACES = (
    Place(
        "Olivia Noah Amelia George Isla Arthur Freya Oscar Niamh Seán Saoirse Callum D'Arcy",
        "Smith O'Brien O'Neill Taylor MacDonald Fitzgerald-Hughes D'Angelo Baker Wright Ní_Dhomhnaill Patel Okafor",
        "{first} {last}",
        "en-GB",
        2,
        0.86,
        ("York YO1 7HH", "Cork T12 X70A", "Leith EH6 6QU"),
        "{n} Mill Lane",
        ("post.example",),
        ("Please ring twice.", "Leave it with Mrs. O'Hara at no. 4 & text me.", "Gate code is #4711*, then =OK="),
    ),
    Place(
        "Jürgen Käthe Björn Änne Günther Zoë Heike Sören Mareike Jörg Lieselotte Özlem",
        "Müller Weiß Schröder Großmann Jäger Köhler von_der_Heide Böttcher Strauß Schäfer-Lüdtke Yıldırım Groß",
        "{first} {last}",
        "de-DE",
        2,
        1.0,
        ("20457 Hamburg", "80331 München", "1010 Wien"),
        "Grüne Straße {n}",
        ("bücher.example", "post.example"),
        ("Bitte beim Nachbarn „Weiß“ abgeben.", "Hinterhof, 3. OG – Klingel „Käthe & Jörg“.", "Bitte nicht stürzen!"),
    ),
    Place(
        "Élodie François Chloé Jérôme Maëlle Benoît Noémie Théo Inès Cédric Anaïs Loïc",
        "Lefèvre Béranger Dupré L'Hôpital D'Étampes N'Diaye Garçon Hébert Châtelain Lévêque Desœuvre Giroud",
        "{first} {last}",
        "fr-FR",
        2,
        1.0,
        ("75011 Paris", "69004 Lyon", "1204 Genève"),
        "{n}, rue de l’Été",
        ("café.example", "post.example"),
        (
            "Code d’entrée : 18B«7». Merci !",
            "Déposez-le chez la gardienne, s’il vous plaît.",
            "2ᵉ étage, porte à gauche",
        ),
    ),
    Place(
        "José María Begoña Íñigo Lucía Andrés Ximena Joaquín Sofía Martín João Conceição",
        "García Núñez Peña Ibáñez Gutiérrez Muñoz Ordóñez de_la_Cruz Magalhães Gonçalves Araújo Simões",
        "{first} {last}",
        "es-ES",
        2,
        1.0,
        ("28004 Madrid", "41003 Sevilla", "4050-253 Porto"),
        "Calle del Ángel, {n}",
        ("españa.example", "post.example"),
        ("¿Puede llamar antes? ¡Gracias!", "Portería de 9 a 14 h.", "Dejar en el nº 5, señora Peña."),
    ),
    Place(
        "Zażółć Łukasz Małgorzata Wojciech Żaneta Jiří Šárka Ondřej Ľubica Dezső Ágnes Ștefan",
        "Wiśniewski Źrebak Łęcka Dąbrowski Dvořák Růžička Kovářová Čapek Nagy Szőke Ţepeş Šimečka",
        "{first} {last}",
        "pl-PL",
        2,
        4.3,
        ("00-120 Warszawa", "110 00 Praha 1", "1051 Budapest"),
        "ul. Źródlana {n}",
        ("poczta.example", "źródło.example"),
        ("Proszę zadzwonić do drzwi.", "Nechte to, prosím, u sousedů.", "Kérem, csengessen kétszer!"),
    ),
    Place(
        "Øyvind Åse Sæmundur Þórdís Ragnheiður Jørgen Søren Mika Väinö Äijä Göran Ellinor",
        "Ødegård Bjørnstad Guðmundsdóttir Þorsteinsson Sørensen Ångström Hämäläinen Lindqvist Nygård Ægisson Kjær "
        "Björk",
        "{first} {last}",
        "nb-NO",
        0,
        11.2,
        ("0150 Oslo", "101 Reykjavík", "00100 Helsinki"),
        "Blåbærveien {n}",
        ("blåbær.example", "post.example"),
        ("Sett den bak den grønne døra.", "Skildu eftir hjá nágrannanum, takk.", "Jätä oven eteen, kiitos!"),
    ),
    Place(
        "Bình Châu Hằng Khánh Ánh Đức Phượng Thảo Tuấn Ngọc Vỹ Yến",
        "Nguyễn_Văn Nguyễn_Thị Trần Lê_Quốc Phạm Huỳnh Hoàng Vũ Đặng Bùi_Minh Đỗ Hồ_Xuân",
        "{last} {first}",
        "vi-VN",
        -3,
        29600.0,
        ("Hà Nội 100000", "TP. Hồ Chí Minh 700000", "Đà Nẵng 550000"),
        "{n} phố Hàng Bông",
        ("vídụ.example", "post.example"),
        ("Vui lòng gọi trước khi giao.", "Gửi ở quầy lễ tân giúp tôi nhé!", "Nhà số 7, ngõ 12 – cửa màu xanh."),
    ),
    Place(
        "Çağla İbrahim Şule Gökhan Ümit Işıl Ayşe Barış Defne Yiğit Gülşen Oğuz",
        "Çelik Yıldız Öztürk Şahin Güneş Ağaoğlu Kılıç Aydın Erdoğan Taşkın Ünal Sarı",
        "{first} {last}",
        "tr-TR",
        2,
        45.5,
        ("34433 İstanbul", "06420 Ankara", "35220 İzmir"),
        "Çiçek Sokağı No. {n}",
        ("çiçek.example", "post.example"),
        ("Kapıcıya bırakabilirsiniz.", "Teslimattan önce arayın, teşekkürler.", "Zil bozuk – lütfen arayın."),
    ),
    Place(
        "Ελένη/eleni Γιώργος/giorgos Μαρία/maria Νίκος/nikos Κατερίνα/katerina Δημήτρης/dimitris Ζωή/zoi Άρης/aris "
        "Ηλέκτρα/ilektra Θάνος/thanos Ίρις/iris Ορέστης/orestis",
        "Παπαδοπούλου/papadopoulou Γεωργίου/georgiou Αγγελή/angeli Οικονόμου/oikonomou Χατζής/chatzis "
        "Ξενάκης/xenakis Ψάλτη/psalti Βλάχος/vlachos Ωραιόπουλος/oraiopoulos Τσακίρη/tsakiri Μαύρος/mavros Ρήγα/riga",
        "{first} {last}",
        "el-GR",
        2,
        1.0,
        ("105 57 Αθήνα", "546 24 Θεσσαλονίκη", "731 00 Χανιά"),
        "Οδός Ελιάς {n}",
        ("παράδειγμα.example", "post.example"),
        ("Χτυπήστε το κουδούνι, παρακαλώ.", "Αφήστε το στον θυρωρό.", "Τρίτος όροφος· δεξιά."),
    ),
    Place(
        "Екатерина/ekaterina Олексій/oleksii Мария/maria Ђорђе/djordje Соломія/solomiia Иван/ivan Надежда/nadezhda "
        "Тарас/taras Ганна/hanna Юлія/yuliia Стефан/stefan Цветана/tsvetana",
        "Шевченко/shevchenko Кузнецова/kuznetsova Ковальчук/kovalchuk Петровић/petrovic Димитрова/dimitrova "
        "Щербак/shcherbak Їжакевич/yizhakevych Ёлкина/yolkina Љубичић/ljubicic Объедков/obedkov Гриценко/hrytsenko "
        "Жуков/zhukov",
        "{first} {last}",
        "uk-UA",
        2,
        47.0,
        ("01001 Київ", "1000 София", "11000 Београд"),
        "вул. Липова, {n}",
        ("пошта.example", "пример.example"),
        ("Зателефонуйте за годину, будь ласка.", "Оставете при съседите.", "Домофон не працює — дзвоніть."),
    ),
    Place(
        "ليلى/layla محمد/mohamed فاطمة/fatima يوسف/youssef نور/nour خالد/khaled زينب/zaynab عمر/omar هدى/huda "
        "سامي/sami رانيا/rania طارق/tariq",
        "الحداد/alhaddad المصري/almasri بن_علي/benali السيد/alsayed خوري/khoury الزهراني/alzahrani قاسم/qasim "
        "منصور/mansour الفاسي/alfassi شاهين/shaheen حمدان/hamdan العلوي/alalawi",
        "{first} {last}",
        "ar-AE",
        2,
        4.0,
        ("دبي", "القاهرة 11511", "الدار البيضاء 20000"),
        "شارع النخيل {n}",
        ("مثال.example", "post.example"),
        ("يرجى الاتصال قبل التسليم.", "اترك الطرد عند الجيران، شكرًا.", "الطابق الثالث، شقة 12."),
    ),
    Place(
        "נועה/noa יוסף/yosef תמר/tamar אריאל/ariel מיכל/michal דוד/david שירה/shira איתי/itai רחל/rachel "
        "עומר/omer יעל/yael גיל/gil",
        "כהן/cohen לוי/levi מזרחי/mizrahi פרץ/peretz ביטון/biton אברהם/avraham דהן/dahan אזולאי/azoulay "
        "שפירא/shapira גולן/golan רוזן/rozen בן_דוד/ben.david",
        "{first} {last}",
        "he-IL",
        2,
        4.0,
        ("תל אביב 6713701", "ירושלים 9108401", "חיפה 3303139"),
        "רחוב הזית {n}",
        ("דוגמה.example", "post.example"),
        ("נא לצלצל פעמיים.", "אפשר להשאיר אצל השכנים (דירה 4).", "קוד כניסה: 1948#"),
    ),
    Place(
        "さくら/sakura 陽翔/haruto 結衣/yui 蓮/ren 美咲/misaki 大翔/hiroto 葵/aoi 悠真/yuma 凛/rin "
        "颯太/sota 花音/kanon 樹/itsuki",
        "佐藤/sato 鈴木/suzuki 高橋/takahashi 田中/tanaka 渡邉/watanabe 齋藤/saito 山﨑/yamazaki 小林/kobayashi "
        "髙島/takashima 中村/nakamura 吉田/yoshida 長谷川/hasegawa",
        "{last} {first}",
        "ja-JP",
        0,
        172.0,
        ("〒150-0001 東京都渋谷区", "〒530-0001 大阪市北区", "〒060-0001 札幌市中央区"),
        "桜通り{n}丁目",
        ("例え.example", "post.example"),
        (
            "宅配ボックスに入れてください。",
            "インターホンが壊れています。お電話ください。",
            "時間指定:19時以降でお願いします。",
        ),
    ),
    Place(
        "秀英/xiuying 伟/wei 芳/fang 梓涵/zihan 浩然/haoran 欣怡/xinyi 子轩/zixuan 雨桐/yutong 志明/chiming "
        "淑芬/shufen 家豪/kaho 怡君/yichun",
        "王/wang 李/li 張/chang 欧阳/ouyang 陳/chen 司马/sima 黄/huang 趙/zhao 吴/wu 林/lin 郑/zheng 龔/gong",
        "{last}{first}",
        "zh-CN",
        2,
        8.3,
        ("上海市 200040", "臺北市 10491", "香港中環"),
        "梧桐路{n}号",
        ("例子.example", "範例.example"),
        ("请放在快递柜,谢谢!", "到之前請打電話。", "門禁密碼:8#88=開"),
    ),
    Place(
        "서연/seoyeon 민준/minjun 지우/jiwoo 도윤/doyun 하은/haeun 예준/yejun 수아/sua 시우/siu 지민/jimin 은우/eunwoo "
        "다은/daeun 준서/junseo",
        "김/kim 이/lee 박/park 최/choi 정/jung 강/kang 조/cho 윤/yoon 남궁/namgung 황보/hwangbo 선우/sunwoo 제갈/jegal",
        "{last}{first}",
        "ko-KR",
        0,
        1610.0,
        ("서울특별시 종로구 03142", "부산광역시 48058", "제주시 63122"),
        "은행나무길 {n}",
        ("예시.example", "post.example"),
        ("문 앞에 놓아 주세요.", "경비실에 맡겨 주세요. 감사합니다!", "벨 대신 전화 부탁드려요 ^^"),
    ),
    Place(
        "สมชาย/somchai กนกวรรณ/kanokwan ณัฐพล/nattaphon พิมพ์ชนก/phimchanok ธนกฤต/thanakrit อรทัย/orathai ศิริพร/siriporn "
        "ชัยวัฒน์/chaiwat นภา/napha วีระ/wira สุดารัตน์/sudarat เก่ง/keng",
        "ใจดี/chaidi ศรีสุข/srisuk บุญมี/bunmi แก้วมณี/kaewmani วงศ์สวัสดิ์/wongsawat ทองคำ/thongkham รักไทย/rakthai "
        "พูนสุข/phunsuk สิงห์โต/singto น้ำใส/namsai ดวงดี/duangdi เจริญผล/charoenphon",
        "{first} {last}",
        "th-TH",
        2,
        38.0,
        ("กรุงเทพฯ 10110", "เชียงใหม่ 50200", "ภูเก็ต 83000"),
        "ถนนดอกไม้ {n}",
        ("ตัวอย่าง.example", "post.example"),
        ("ฝากไว้ที่ป้อมยามได้เลยค่ะ", "โทรก่อนส่งนะครับ", "บ้านสีเขียว ตรงข้ามวัด"),
    ),
    Place(
        "प्रिया/priya अर्जुन/arjun दीपिका/deepika विक्रम/vikram अनन्या/ananya रोहन/rohan काव्या/kavya सिद्धार्थ/siddharth "
        "মিতালী/mitali சங்கர்/shankar ஜெயா/jaya ਗੁਰਪ੍ਰੀਤ/gurpreet",
        "शर्मा/sharma पटेल/patel गुप्ता/gupta वर्मा/verma सिंह/singh चौधरी/chaudhary मिश्रा/mishra त्रिपाठी/tripathi "
        "চট্টোপাধ্যায়/chattopadhyay சுப்ரமணியம்/subramaniam இராமன்/raman ਗਿੱਲ/gill",
        "{first} {last}",
        "hi-IN",
        2,
        98.0,
        ("नई दिल्ली 110001", "কলকাতা 700019", "சென்னை 600004"),
        "{n}, नीम मार्ग",
        ("उदाहरण.example", "post.example"),
        ("कृपया पहले फ़ोन करें।", "गार्ड के पास छोड़ दें।", "নিচতলায় রেখে দিন।"),
    ),
)

ITEMS = (
    ("Linen sheet, 160 × 200 cm, sand", 64.90),
    ("Set of two “Loam” mugs, 300 ml", 28.00),
    ("Wall shelf “Ö3” – oak, 80 × 24 cm", 79.50),
    ("T-shirt, size < M, 100% organic cotton", 24.95),
    ('Poster 24" x 36", E = mc²', 19.00),
    ("Salt & pepper mill, beech", 36.40),
    ("Tea towel 'Bonjour', 50% linen = 50% cotton", 14.80),
    ("Crème brûlée dish ø 12 cm", 9.75),
    ("Garden chair «Café», folding", 88.00),
    ("Gift card no. =3D=20=, worth 25", 25.00),
    ("Notebook A5 /// 192 pages, dot grid...", 12.60),
    ("...and a mystery seed bag", 4.20),
    ("Watering can 5 l – „Gießkanne“", 31.30),
    ("抹茶 Matcha bowl, handmade", 42.00),
    ("Lampe de chevet, abat-jour écru", 57.10),
    ("Cushion \\ 45 × 45 \\ moss green", 22.22),
)

CARRIERS = ("Parcel & Post", "Kurier Łódź", "Swift-Ex", "Correo Rápido", "北斗運輸", "Blue Van Couriers")

# What a mail format could take for its own; each must arrive as it is.
AWKWARD_NOTES = (
    ".Leading dot, and a line that is one:\n.\n..two dots\nthe end.",
    "Trailing blanks follow.   ",
    "First line with blanks at its end   \n\tsecond line, after a tab\n\nfourth line",
    'Print "%%FirstName%%" on the card, just like that; no %%=Magic()=%% please.',
    "x = 1; y == 2; =20 =3D =\nsoft breaks are not for me =",
    "Size < M or > L? A&B say \"either\" & 'both'; 50% off + 20%?",
    "Happy birthday, Grandma! 🎂🎉 Love from 👩‍👩‍👧‍👦 in 🇮🇸 — I ❤️ you 3️⃣ times",
    "=?utf-8?B?bm90IGFuIGVuY29kZWQgd29yZA==?= is what I wrote",
    "From the gate, turn left.\nFrom here on, follow the signs.\n>From is fine too.",
    "C:\\garage\\left ~ `shelf` | {box} [no. 7] ^ #1; $5 tip",
    "--\nleave it at the back door\n--=_postroom_\nthen ring",
)

LONG_SENTENCE = (
    "The house is the last one on the left behind the old mill; walk past the green gate, cross the little bridge, "
    "mind the dog (he is friendly, but he does not know that you are), and put the parcel into the wooden box "
    "beneath the stairs, the lid of which sticks a little when it has rained. Many thanks!"
)
LONG_NOTES = (
    LONG_SENTENCE,
    ("https://maps.example/?at=59.3293,18.0686&q=%C3%85se&z=" + "0123456789abcdef" * 20)[:300],
    ("玄関の前に置いてください。犬がいますが、とても優しいので心配いりません。" * 10)[:300],
    ("Дом за мельницей, зелёная калитка, позвоните дважды; " * 8)[:300],
    "=" * 300,
)

_LATIN = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "-": "", "_": "."}
)


def make_rows(people: int = PEOPLE, seed: int = SEED) -> list[dict[str, str]]:
    """The rows of the file; no two share a contact, an address, a key, a name or an order."""
    chance = random.Random(seed)  # noqa: S311
    persons = [people_of(place, chance) for place in PLACES]
    rows = []
    for number in range(1, people + 1):
        place = PLACES[number % len(PLACES)]
        rows.append(make_row(number, place, next(persons[number % len(PLACES)]), chance))
    return rows


def people_of(place: Place, chance: random.Random) -> Iterator[tuple[str, str, str, str]]:
    """Every first name with every last name, in an order of chance: first, last, and both in Latin letters."""
    pairs = [(first, last) for first in place.first.split() for last in place.last.split()]
    chance.shuffle(pairs)
    for first, last in pairs:
        first_name, first_latin = written_and_latin(first)
        last_name, last_latin = written_and_latin(last)
        yield first_name, last_name, first_latin, last_latin


def written_and_latin(name: str) -> tuple[str, str]:
    """A name of the lists as it is written and as it looks in an address."""
    written, _, latin = name.partition("/")
    if not latin:
        letters = unicodedata.normalize("NFD", name.lower().translate(_LATIN))
        latin = "".join(letter for letter in letters if letter.isascii())
    return written.replace("_", " "), latin


def make_row(number: int, place: Place, person: tuple[str, str, str, str], chance: random.Random) -> dict[str, str]:
    """One person's row; `number` counts from 1 and makes every key its own."""
    first, last, first_latin, last_latin = person
    lines = [
        {"name": item, "quantity": quantity_of(chance), "price": amount(price * place.rate, place.cents)}
        for item, price in chance.sample(ITEMS, chance.choice((1, 2, 2, 3, 3, 4)))
    ]
    ordered = date(2026, 11, 23) - timedelta(days=chance.randint(1, 6))
    expected = date(2026, 11, 23) + timedelta(days=chance.randint(1, 9))
    if number % 40 == 7:
        made_to_measure = f"Made to measure for {first} {last}: "
        lines[0]["name"] = (made_to_measure + "curtain, linen, écru, lined & weighted, hook tape; " * 8)[:300]
    street = place.street.format(n=chance.randint(1, 180))
    order_number = f"LL-{26_100_000 + number * 37}"
    return {
        "contactKey": f"customer-{40_000 + number}",
        "to": address(number, place, first, first_latin, last_latin, chance),
        "messageKey": f"order-shipped:{order_number}",
        "FirstName": first,
        "FullName": place.name.format(first=first, last=last),
        "OrderNumber": order_number,
        "OrderDate": ordered.isoformat(),
        "Lines": json.dumps(lines, ensure_ascii=False),
        "ShippingCost": chance.choice(("0", "0", str(amount(4.9 * place.rate, place.cents)))),
        "Culture": place.culture,
        "Shipping": "pickup" if number % 3 == 2 else "home",
        "Carrier": chance.choice(CARRIERS),
        "TrackingNumber": f"{chance.choice('ABCDEFGH')}{chance.randint(10**11, 10**12 - 1)}-{number:04d}",
        "DeliveryDate": expected.isoformat(),
        "Address": f"{street}\n{chance.choice(place.cities)}",
        "DeliveryNote": note(number, place, first, chance),
    }


def address(number: int, place: Place, first: str, first_latin: str, last_latin: str, chance: random.Random) -> str:
    """An address that no other row has, whatever letter case and blanks a mail system ignores."""
    plain = last_latin.replace("'", "")
    local = chance.choice(
        (
            f"{first_latin}.{last_latin}{number}",
            f"{first_latin}+orders{number}.{plain}",
            f"{last_latin}+linden-and-loam.{number}",
            f"{first_latin[0]}{plain}_{number}",
            f"{number}.{first_latin}",
        )
    )
    if number % 50 == 13:
        # A mailbox name in the person's own letters (RFC 6531) needs SMTPUTF8 on the way.
        local = f"{first}.{number}"
        return f"{local}@{place.hosts[0]}"
    host = chance.choice(place.hosts) if chance.random() < 0.3 else chance.choice(PLAIN_HOSTS)
    return f"{local}@{host}"


def note(number: int, place: Place, first: str, chance: random.Random) -> str:
    """The note to the driver: awkward for every fifth person, long for every twentieth, else in their language."""
    if number % 5 == 0:
        return AWKWARD_NOTES[number // 5 % len(AWKWARD_NOTES)]
    if number % 20 == 3:
        return LONG_NOTES[number // 20 % len(LONG_NOTES)]
    wish = chance.choice(place.notes)
    return f"{wish}\n{first}" if chance.random() < 0.25 else wish


def quantity_of(chance: random.Random) -> int:
    """Mostly one, sometimes a few, now and then a crate."""
    return chance.choice((1, 1, 1, 2, 3, 12))


def amount(value: float, cents: int) -> float | int:
    """The value in units of its currency; a whole number where there are no smaller ones."""
    return round(value, cents) if cents > 0 else int(round(value, cents))


def csv_text(rows: list[dict[str, str]]) -> str:
    """The file's text; rows end with LF, so that it is the same on every system."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*KEYS, *ATTRIBUTES], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    FILE.write_bytes(csv_text(make_rows()).encode())
    print(f"{FILE}: {PEOPLE} recipients", file=sys.stderr)
