SELECT
  DATE_TRUNC('HOUR', request_time) AS hour,
  CASE 
    WHEN INSTR(from_json(request, 'array<struct<messages:array<struct<role:string, content:string>>>>').messages[0].content[0], 'SuperSecretProject') > 0 THEN 'Mentioned'
    ELSE 'Not Mentioned'
  END AS SuperSecretProject_Mention,
  COUNT(*) AS count
FROM
  users.takaaki_yayoi.`taka_ai_gateway_endpoint_payload`
WHERE
  request_time >= current_timestamp() - INTERVAL 1 DAYS
GROUP BY
  hour, SuperSecretProject_Mention
ORDER BY
  hour ASC
